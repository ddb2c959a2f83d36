using Baton.Core.Api;
using Baton.Node.Channels;

namespace Baton.Node.Messages;

/// <summary>One look at a log.</summary>
/// <param name="Messages">What it shows.</param>
/// <param name="NextLsn">Where to go on.</param>
/// <param name="Through">The last LSN that was there.</param>
internal sealed record Look(IReadOnlyList<ReadMessage> Messages, long NextLsn, long Through);

/// <summary>Reads that wait for a log to grow, of a leader or of a replica's copy.</summary>
internal sealed class LongPoll(TimeProvider time)
{
    private int _waiting;

    /// <summary>How many wait now.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Looks from <paramref name="from"/> on until there is something to show, for <paramref name="wait"/> at most.</summary>
    /// <param name="progress">Moves when the log grows, or there is none to look at any more.</param>
    /// <param name="from">The first LSN wanted.</param>
    /// <param name="wait">How long.</param>
    /// <param name="look">Looks at the log from an LSN on. Throws where there is none to look at any more.</param>
    /// <param name="ct">Ends it.</param>
    public async Task<ReadResponse> ReadAsync(DurableProgress progress, long from, TimeSpan wait, Func<long, Task<Look>> look, CancellationToken ct)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            // Before the look: a move in between is then not missed.
            var moved = progress.Moved;
            var seen = await look(from);
            var left = wait - time.GetElapsedTime(started);
            if (seen.Messages.Count > 0 || left <= TimeSpan.Zero)
            {
                return new ReadResponse(seen.Messages, seen.NextLsn, seen.Through);
            }

            from = seen.NextLsn;
            Interlocked.Increment(ref _waiting);
            try
            {
                await moved.WaitAsync(left, time, ct);
            }
            catch (TimeoutException)
            {
                return new ReadResponse([], from, seen.Through);
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
    }
}
