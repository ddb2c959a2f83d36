using Azure.Core;
using Azure.Core.Pipeline;

namespace Baton.Storage.Tables;

/// <summary>Bounded retries that never send again what may have been applied, unless applying it twice is the same as once.</summary>
/// <remarks>
/// An insert, a conditional update or delete and a transaction are not safe to repeat: if the answer to the first was lost,
/// the second reports a conflict with ourselves. Those are sent again only when the service said that it did not take them
/// (429, 503), or when no connection was made at all. For the rest the caller gets the error and must read before it decides.
/// </remarks>
internal sealed class TableRetryPolicy(int maxRetries, DelayStrategy delay) : RetryPolicy(maxRetries, delay)
{
    /// <summary>Marks a message as safe to repeat after an answer that leaves open whether it was applied.</summary>
    public static void MarkRepeatable(HttpMessage message) => message.SetProperty(typeof(TableRetryPolicy), true);

    protected override bool ShouldRetry(HttpMessage message, Exception? exception) => MayRepeat(message, exception) && base.ShouldRetry(message, exception);

    protected override ValueTask<bool> ShouldRetryAsync(HttpMessage message, Exception? exception) =>
        MayRepeat(message, exception) ? base.ShouldRetryAsync(message, exception) : ValueTask.FromResult(false);

    private static bool MayRepeat(HttpMessage message, Exception? exception)
    {
        if (message.TryGetProperty(typeof(TableRetryPolicy), out var repeatable) && repeatable is true)
        {
            return true;
        }

        return exception is null
            ? message.HasResponse && message.Response.Status is 429 or 503
            : NeverLeft(exception);
    }

    private static bool NeverLeft(Exception exception)
    {
        var cause = exception as HttpRequestException ?? exception.InnerException as HttpRequestException;
        return cause?.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError;
    }
}
