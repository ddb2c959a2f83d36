using Baton.Core.Api;

namespace Baton.Node.Leadership;

/// <summary>Requests that wait for something, at a node that is told to stop: it waits for its requests, so none of them may wait for long.</summary>
internal static class WhileServing
{
    /// <summary>Answers a request, whose wait ends when its client has gone or the node is about to take no more.</summary>
    /// <exception cref="ApiException">Unavailable: the node is stopping.</exception>
    public static async Task<IResult> AnswerAsync(this Drain drain, HttpContext context, Func<CancellationToken, Task<IResult>> answerAsync)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
        try
        {
            return await answerAsync(either.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new ApiException(ApiErrorCode.Unavailable, "this node is stopping") { RetryAfterSeconds = 1 };
        }
    }
}
