using System.Collections.Concurrent;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Node.Tests.Harness;

/// <summary>Holds the creation of each new segment, which is what every opening comes to, until the test lets them through.</summary>
internal sealed class StorageGate : HttpPipelinePolicy
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _held;

    /// <summary>Creations that are held now.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Channels of which a segment was created, in the order in which that was tried.</summary>
    public ConcurrentQueue<string> Channels { get; } = new();

    public void Open() => _open.TrySetResult();

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => ProcessNext(message, pipeline);

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        if (message.Request.Headers.TryGetValue("x-ms-blob-type", out var type) && type == "AppendBlob" && message.Request.Uri.Path.EndsWith(".seg", StringComparison.Ordinal))
        {
            Channels.Enqueue(message.Request.Uri.Path.Split('/')[^2]);
            Interlocked.Increment(ref _held);
            await _open.Task;
            Interlocked.Decrement(ref _held);
        }

        await ProcessNextAsync(message, pipeline);
    }
}
