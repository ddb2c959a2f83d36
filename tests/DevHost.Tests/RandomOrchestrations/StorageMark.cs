using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Tells when an engine makes a certain call to storage.</summary>
internal sealed class StorageMark(int calls) : HttpPipelinePolicy
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _made;

    public Task Reached => _reached.Task;

    public override ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        if (Interlocked.Increment(ref _made) > calls)
        {
            _reached.TrySetResult();
        }

        return ProcessNextAsync(message, pipeline);
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
}
