using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Baton.Storage.Wal;

/// <summary>Repeats storage calls whose end is uncertain: bounded, with pauses that double. Only for calls that may be done twice.</summary>
internal sealed class WalRetry(WalOptions options, TimeProvider time)
{
    private const int LeastAttempts = 3;
    private static readonly Meter Meter = new("Baton.Storage");
    private static readonly Counter<long> Retries = Meter.CreateCounter<long>("baton_wal_storage_retries_total", description: "Storage calls of the log that were sent again");

    /// <summary>Runs <paramref name="call"/> until its end is certain.</summary>
    /// <exception cref="WalFaultedException">It never was.</exception>
    public async Task<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        for (var attempts = Begin(what); ;)
        {
            try
            {
                return await call(cancellationToken).ConfigureAwait(false);
            }
            catch (WalStorageUncertainException failure)
            {
                attempts = await PauseAsync(attempts, failure, cancellationToken).ConfigureAwait(false);
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

    /// <summary>The first attempt of several.</summary>
    public WalAttempts Begin(string what) => new(what, 1, time.GetTimestamp());

    /// <summary>Waits before the next attempt, or gives up: when there were <see cref="WalOptions.MaxAttempts"/>, or <see cref="WalOptions.GiveUpMs"/> are over and it was tried a few times.</summary>
    /// <remarks>A process that was stopped for long finds its time over, its call broken and its connections dead: it still has to find out that it was fenced.</remarks>
    /// <exception cref="WalFaultedException">There is no further attempt.</exception>
    public async Task<WalAttempts> PauseAsync(WalAttempts attempts, Exception failure, CancellationToken cancellationToken)
    {
        var elapsed = time.GetElapsedTime(attempts.Since);
        if (attempts.Number >= options.MaxAttempts || (attempts.Number >= LeastAttempts && elapsed.TotalMilliseconds >= options.GiveUpMs))
        {
            throw new WalFaultedException(
                string.Create(CultureInfo.InvariantCulture, $"The storage did not answer in {attempts.Number} attempts and {elapsed.TotalMilliseconds:0} ms to {attempts.What}."),
                failure);
        }

        Retries.Add(1, new KeyValuePair<string, object?>("call", attempts.What));
        var delay = Math.Min(options.RetryDelayMs * Math.Pow(2, attempts.Number - 1), options.RetryMaxDelayMs);
        await Task.Delay(TimeSpan.FromMilliseconds(delay), time, cancellationToken).ConfigureAwait(false);
        return attempts with { Number = attempts.Number + 1 };
    }
}

/// <summary>How often something was tried, and since when.</summary>
/// <param name="What">What is tried, for messages.</param>
/// <param name="Number">Which attempt this is, from 1.</param>
/// <param name="Since">When the first one began, in ticks of the clock.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WalAttempts(string What, int Number, long Since);
