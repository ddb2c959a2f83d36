using System.Diagnostics;
using Baton.DevHost.FunctionsHost.Handler;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>Counts the calls of the function that a <see cref="CrashPoint"/> names, and crashes at the right one.</summary>
internal sealed class CrashTrigger(CrashPoint? point, ILogger logger)
{
    private int _calls;

    /// <summary>Begins a call of <paramref name="function"/>; the answer says whether it is the one.</summary>
    public bool IsHit(string function) =>
        point is not null && string.Equals(function, point.Function, StringComparison.OrdinalIgnoreCase) && Interlocked.Increment(ref _calls) == point.Nth;

    /// <summary>Crashes when the point lies before the call.</summary>
    public Task BeforeAsync(bool hit, HandlerGeneration handler) => hit && !point!.After ? CrashAsync(handler) : Task.CompletedTask;

    /// <summary>Crashes when the point lies after the answer.</summary>
    public Task AfterAsync(bool hit, HandlerGeneration handler) => hit && point!.After ? CrashAsync(handler) : Task.CompletedTask;

    private async Task CrashAsync(HandlerGeneration handler)
    {
        logger.LogWarning("Crash point reached: {CrashPoint}", point);
        await handler.KillAsync();
        if (point!.Scope == CrashScope.HandlerAndHost)
        {
            using var self = Process.GetCurrentProcess();
            self.Kill();
        }
    }
}
