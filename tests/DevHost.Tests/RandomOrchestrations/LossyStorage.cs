using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.RandomOrchestrations;

/// <summary>Counts an engine's calls to storage, and loses some of them, or their answers, at random.</summary>
/// <param name="seed">Decides which.</param>
/// <param name="percent">How many are lost.</param>
internal sealed class LossyStorage(int seed = 0, int percent = 0) : HttpPipelinePolicy
{
    private int _calls;
    private int _lost;

    /// <summary>Calls so far.</summary>
    public int Calls => _calls;

    /// <summary>Of them, without an answer.</summary>
    public int Lost => _lost;

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        // By the number of the call, so that the order in which two of them come does not matter.
        var fate = new Random((seed * 1_000) + Interlocked.Increment(ref _calls)).Next(200);
        if (fate >= percent * 2)
        {
            await ProcessNextAsync(message, pipeline);
            return;
        }

        if (fate % 2 == 0)
        {
            await ProcessNextAsync(message, pipeline);
        }

        Interlocked.Increment(ref _lost);
        throw new RequestFailedException(0, "The connection was cut (by the test).", new IOException("cut"));
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
}
