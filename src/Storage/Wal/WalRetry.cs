using System.Diagnostics.Metrics;

namespace Baton.Storage.Wal;

/// <summary>Repeats storage calls whose end is uncertain: bounded, with pauses that double. Only for calls that may be done twice.</summary>
internal sealed class WalRetry(WalOptions options, TimeProvider time)
{
    private static readonly Meter Meter = new("Baton.Storage");
    private static readonly Counter<long> Retries = Meter.CreateCounter<long>("baton_wal_storage_retries_total", description: "Storage calls of the log that were sent again");

    /// <summary>Runs <paramref name="call"/> until its end is certain.</summary>
    /// <exception cref="WalFaultedException">It never was.</exception>
    public async Task<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call(cancellationToken).ConfigureAwait(false);
            }
            catch (WalStorageUncertainException failure)
            {
                await PauseAsync(what, attempt, failure, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Runs <paramref name="call"/> until its end is certain.</summary>
    /// <exception cref="WalFaultedException">It never was.</exception>
    public Task RunAsync(string what, Func<CancellationToken, Task> call, CancellationToken cancellationToken) => RunAsync(
        what,
        async token =>
        {
            await call(token).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>Waits before attempt <paramref name="attempt"/> + 1, or gives up.</summary>
    /// <exception cref="WalFaultedException">There is no further attempt.</exception>
    public Task PauseAsync(string what, int attempt, Exception failure, CancellationToken cancellationToken)
    {
        if (attempt >= options.MaxAttempts)
        {
            throw new WalFaultedException($"The storage did not answer in {attempt} attempts to {what}.", failure);
        }

        Retries.Add(1, new KeyValuePair<string, object?>("call", what));
        var delay = Math.Min(options.RetryDelayMs * Math.Pow(2, attempt - 1), options.RetryMaxDelayMs);
        return Task.Delay(TimeSpan.FromMilliseconds(delay), time, cancellationToken);
    }
}
