using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Node.Tests.Harness;

/// <summary>While <see cref="Broken"/>, appends to blobs never reach the storage service.</summary>
internal sealed class StorageFault : HttpPipelinePolicy
{
    private volatile bool _broken;
    private int _dropped;

    public bool Broken
    {
        get => _broken;
        set => _broken = value;
    }

    /// <summary>Appends that did not get through.</summary>
    public int Dropped => Volatile.Read(ref _dropped);

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        Drop(message);
        ProcessNext(message, pipeline);
    }

    public override ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        Drop(message);
        return ProcessNextAsync(message, pipeline);
    }

    private void Drop(HttpMessage message)
    {
        if (_broken && message.Request.Uri.Query.Contains("comp=appendblock", StringComparison.Ordinal))
        {
            Interlocked.Increment(ref _dropped);
            throw new RequestFailedException("the network is down");
        }
    }
}
