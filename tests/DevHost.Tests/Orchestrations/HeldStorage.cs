using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Holds the first call to storage of a kind, as if its process slept; all others go through.</summary>
/// <param name="isIt">Says by method and path, and by the body, whether a call is of the kind.</param>
internal sealed class HeldStorage(Func<string, string, bool> isIt)
{
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a call is held.</summary>
    public Task Held => _held.Task;

    /// <summary>For the engine whose calls these are.</summary>
    public HttpPipelinePolicy Policy => new ScriptedStorage(async (call, body, next, _) =>
    {
        if (isIt(call, body) && _held.TrySetResult())
        {
            await _released.Task;
        }

        await next();
    });

    public void Release() => _released.TrySetResult();
}
