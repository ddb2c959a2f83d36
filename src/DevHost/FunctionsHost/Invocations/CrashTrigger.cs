using System.Diagnostics;
using Baton.DevHost.FunctionsHost.Handler;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>Counts the calls of the function that a <see cref="CrashPoint"/> names, from when it is set on, and crashes at the right one.</summary>
internal sealed class CrashTrigger(ILogger logger)
{
    private static readonly TimeSpan LongestNotice = TimeSpan.FromSeconds(30);
    private Awaited? _awaited;

    /// <summary>Sets the point in place of the one before; null for none. Calls that are under way do not count.</summary>
    public void Set(CrashPoint? point) => Volatile.Write(ref _awaited, point is null ? null : new Awaited(point));

    /// <summary>Begins a call of <paramref name="function"/>; the answer is the point where it is the one.</summary>
    public CrashPoint? Hit(string function) =>
        Volatile.Read(ref _awaited) is { Point: var point } awaited && string.Equals(function, point.Function, StringComparison.OrdinalIgnoreCase) && awaited.Count() == point.Nth ? point : null;

    /// <summary>Crashes when the point lies before the call.</summary>
    public Task BeforeAsync(CrashPoint? hit, HandlerGeneration handler) => hit is { After: false } ? CrashAsync(hit, handler) : Task.CompletedTask;

    /// <summary>Crashes when the point lies after the answer.</summary>
    public Task AfterAsync(CrashPoint? hit, HandlerGeneration handler) => hit is { After: true } ? CrashAsync(hit, handler) : Task.CompletedTask;

    private async Task CrashAsync(CrashPoint point, HandlerGeneration handler)
    {
        logger.LogWarning("Crash point reached: {CrashPoint}", point);
        await handler.KillAsync();
        if (point.Scope == CrashScope.HandlerAndHost)
        {
            using var self = Process.GetCurrentProcess();
            self.Kill();
        }

        // A call that was sent to it just now would be one more failure than the point stands for.
        await handler.Noticed.WaitAsync(LongestNotice);
    }

    private sealed class Awaited(CrashPoint point)
    {
        private int _calls;

        public CrashPoint Point => point;

        public int Count() => Interlocked.Increment(ref _calls);
    }
}
