using Azure;
using Baton.Core.Api;

namespace Baton.Functions.Tables;

/// <summary>Read, decide, write under a condition; again when somebody else wrote in between.</summary>
internal static class ConditionalWrite
{
    /// <summary>
    /// Rounds before a writer gives up. Each lost round means that somebody else's write won, so this many in a row mean a storm of
    /// writers, and the caller is told to come back later.
    /// </summary>
    private const int MaxRounds = 32;

    /// <summary>Runs <paramref name="round"/> until it does not lose to another writer.</summary>
    /// <param name="what">What is written, for the error's text.</param>
    /// <param name="round">Reads, decides and writes once.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.Unavailable"/> after too many lost rounds.</exception>
    public static async Task<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> round, CancellationToken cancellationToken)
    {
        for (var lost = 0; lost < MaxRounds; lost++)
        {
            try
            {
                return await round(cancellationToken);
            }
            catch (RequestFailedException e) when (IsLostRace(e))
            {
                // Spreads writers that lost to each other, so that they do not meet again at once.
                await Task.Delay(Random.Shared.Next(1, 5 + (5 * lost)), cancellationToken);
            }
        }

        throw new ApiException(ApiErrorCode.Unavailable, $"Too many writers change {what} at once; try again.") { RetryAfterSeconds = 1 };
    }

    /// <summary>Somebody else's write came first: the row was there already, is gone, or has another ETag.</summary>
    public static bool IsLostRace(RequestFailedException failure) => failure.Status is 404 or 409 or 412;
}
