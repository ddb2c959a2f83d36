using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Node.Tests.Harness;

/// <summary>While <see cref="Broken"/>, appends to blobs never reach the storage service; reads of logs are counted.</summary>
internal sealed class StorageFault : HttpPipelinePolicy
{
    private volatile bool _broken;
    private int _dropped;
    private int _reads;

    public bool Broken
    {
        get => _broken;
        set => _broken = value;
    }

    /// <summary>Appends that did not get through.</summary>
    public int Dropped => Volatile.Read(ref _dropped);

    /// <summary>Reads of segments.</summary>
    public int Reads => Volatile.Read(ref _reads);

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

        if (message.Request.Method == RequestMethod.Get && message.Request.Uri.Path.EndsWith(".seg", StringComparison.Ordinal))
        {
            Interlocked.Increment(ref _reads);
        }
    }
}
