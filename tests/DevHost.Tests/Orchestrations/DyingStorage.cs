using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>Lets an engine make so many calls to storage, then fails calls; all of them, it is as for a process that is dead.</summary>
/// <param name="calls">How many calls go well.</param>
/// <param name="losesAnswer">Whether the service still does the first failing call, so that only its answer is lost.</param>
/// <param name="failures">How many calls fail.</param>
public sealed class DyingStorage(int calls, bool losesAnswer, int failures = int.MaxValue) : HttpPipelinePolicy
{
    private readonly TaskCompletionSource<string> _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _made = long.MinValue;

    /// <summary>Completes with the first call that failed.</summary>
    public Task<string> Died => _died.Task;

    /// <summary>Begins to count.</summary>
    public DyingStorage Begin()
    {
        Interlocked.Exchange(ref _made, 0);
        return this;
    }

    /// <summary>Nothing fails any more.</summary>
    public void Heal() => Interlocked.Exchange(ref _made, long.MinValue);

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var number = Interlocked.Increment(ref _made);
        if (number <= calls || number > (long)calls + failures)
        {
            await ProcessNextAsync(message, pipeline);
            return;
        }

        if (number == calls + 1)
        {
            try
            {
                if (losesAnswer)
                {
                    await ProcessNextAsync(message, pipeline);
                }
            }
            finally
            {
                // Its caller may give it up, because a call beside it has failed already.
                _died.TrySetResult($"{message.Request.Method} {message.Request.Uri.Path}");
            }
        }

        throw new RequestFailedException(0, "The connection was cut (by the test).", new IOException("cut"));
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException("Storage is called asynchronously.");
}
