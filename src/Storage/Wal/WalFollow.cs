using System.Runtime.CompilerServices;

namespace Baton.Storage.Wal;

/// <summary>Reads a log to its end, waits until it may have grown, and goes on.</summary>
internal static class WalFollow
{
    /// <summary>See <see cref="WalStore.FollowAsync"/>.</summary>
    public static async IAsyncEnumerable<WalEntry> EntriesAsync(
        WalLogReader reader,
        WalOptions options,
        TimeProvider time,
        string channel,
        long fromLsn,
        Func<Task>? moved,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var next = fromLsn;
        var delayMs = options.PollDelayMs;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // Taken before the look, so that no growth falls between the two.
            var hint = moved?.Invoke();
            var told = hint is { IsCompleted: false };
            var first = next;
            await foreach (var entry in reader.ReadAsync(channel, next, long.MaxValue, cancellationToken).ConfigureAwait(false))
            {
                next = entry.Lsn + 1;
                yield return entry;
            }

            delayMs = next > first ? options.PollDelayMs : delayMs;
            var pause = TimeSpan.FromMilliseconds(delayMs);
            if (told)
            {
                // However it ends, or the pause does: it is time to look.
                await hint!.WaitAsync(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            else
            {
                // One that was complete before the look told of what the look has seen, and would make this a loop without a pause.
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            }

            delayMs = (int)Math.Min(2L * delayMs, options.PollMaxDelayMs);
        }
    }
}
