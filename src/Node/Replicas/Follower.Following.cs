using Baton.Core.Api;
using Baton.Node.Replicas.Feed;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;

namespace Baton.Node.Replicas;

/// <content>Following by itself: compare, catch up, subscribe, append what is durable; and again from the beginning whenever something breaks.</content>
internal sealed partial class Follower
{
    /// <summary>Follows until it is stopped, or until only an order or another assignment can help.</summary>
    private Task<bool> FollowAsync(Assignment assignment, CancellationToken ct) => RetryAsync(
        async log =>
        {
            var state = await CompareAsync(log, ct);
            SetState(state);
            if (state != FollowState.CatchingUp)
            {
                LogParked(around.Log, Channel, state, log.LastLsn);
                return false;
            }

            await FetchAsync(log, long.MaxValue, order: null, ct);
            if (assignment.Term < KnownTerm || assignment.LeaderEndpoint is null)
            {
                // The log is of a later term than the assignment, or nobody leads: another assignment will come.
                SetState(FollowState.Disconnected);
                return false;
            }

            await StreamAsync(log, assignment, ct);
            return null;
        },
        ct);

    /// <summary>Whether the log here is a beginning of the channel's: its last record is the same there. An empty one is made to begin where the history does.</summary>
    /// <returns>CatchingUp: it is. Diverged: it is not. NeedsRebuild: what could tell, or what comes next, is gone.</returns>
    private async Task<FollowState> CompareAsync(ReplicaLog log, CancellationToken ct)
    {
        if (log.LastLsn < log.FirstLsn)
        {
            await BeginAsync(log, ct);
            _compared = true;
            return FollowState.CatchingUp;
        }

        var last = log.Last;
        bool same;
        try
        {
            same = await around.Store.ReadPositionAsync(Channel, last.Lsn, ct) == last;
        }
        catch (WalTrimmedException)
        {
            return FollowState.NeedsRebuild;
        }

        // What was found to be the channel's stays readable while the storage or the leader is away, and until this says otherwise.
        _compared = same;
        if (same)
        {
            // Its term was led: nothing of a lower one is listened to, also after a restart.
            RaiseKnownTerm(last.Term);
            Raise(ref _durableLsn, last.Lsn);
        }

        return same ? FollowState.CatchingUp : FollowState.Diverged;
    }

    private async Task BeginAsync(ReplicaLog log, CancellationToken ct)
    {
        var (first, end) = await around.Store.ReadHistoryAsync(Channel, ct) is { } history ? (history.FirstLsn, history.CommittedLsn) : (1, 0);
        if (log.FirstLsn < first || log.FirstLsn > end + 1)
        {
            await log.ResetAsync(first, ct);
        }
    }

    /// <summary>Takes over batches from the storage, where everything is durable, through <paramref name="throughLsn"/> or to the end.</summary>
    private async Task FetchAsync(ReplicaLog log, long throughLsn, PullOrder? order, CancellationToken ct)
    {
        if (throughLsn <= log.LastLsn)
        {
            return;
        }

        await foreach (var batch in around.Store.ReadBatchesAsync(Channel, log.LastLsn + 1, throughLsn, ct))
        {
            await log.AppendAsync(batch.Term, batch.Bytes, ct);
            order?.Took(batch.Bytes.Length);
            RaiseKnownTerm(batch.Term);
            Appended(log.LastLsn);
        }
    }

    /// <summary>Takes over what the leader pushes, until the stream is over.</summary>
    private async Task StreamAsync(ReplicaLog log, Assignment assignment, CancellationToken ct)
    {
        await using var feed = await around.Client.OpenAsync(assignment, ct);
        LogSubscribed(around.Log, Channel, assignment.Term, assignment.LeaderEndpoint!, feed.Start.NextLsn, log.LastLsn);
        var buffer = new FeedBuffer(feed.Start.DurableLsn, around.Settings.HeldBytes);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var reading = feed.ReadIntoAsync(buffer, stop.Token);
        var reporting = ReportAsync(log, assignment, stop.Token);
        try
        {
            await TakeAsync(log, assignment.Term, buffer, ct);
        }
        finally
        {
            // Both never fail. What the buffer still holds is not durable, and is forgotten.
            await stop.CancelAsync();
            await Task.WhenAll(reading, reporting);
        }
    }

    private async Task TakeAsync(ReplicaLog log, long term, FeedBuffer buffer, CancellationToken ct)
    {
        while (true)
        {
            var moved = buffer.Moved;
            Raise(ref _durableLsn, buffer.DurableLsn);
            var before = log.LastLsn;
            var step = buffer.Next(before);
            if (step.Batch is { } batch)
            {
                await log.AppendAsync(term, batch, ct);
                Appended(log.LastLsn);
            }
            else if (step.FetchThroughLsn > 0)
            {
                SetState(FollowState.CatchingUp);
                await FetchAsync(log, step.FetchThroughLsn, order: null, ct);
                if (log.LastLsn == before)
                {
                    throw new FeedException($"the leader says that LSN {step.FetchThroughLsn} is durable, but the log in the storage ends at LSN {before}");
                }
            }
            else if (buffer.Ended(out var failure))
            {
                throw failure as FeedException ?? new FeedException(failure is null ? "the leader ended the stream" : $"the stream broke: {failure.Message}", failure);
            }
            else
            {
                SetState(FollowState.Following);
                _backoff = around.NewBackoff();
                await moved.WaitAsync(ct);
            }
        }
    }

    /// <summary>Tells the leader how far this replica is, whenever that has changed, but not more often than it is told to. Never fails.</summary>
    private async Task ReportAsync(ReplicaLog log, Assignment assignment, CancellationToken ct)
    {
        var interval = TimeSpan.FromMilliseconds(around.Settings.ProgressIntervalMs);
        var backoff = around.NewBackoff();
        var reported = -1L;
        try
        {
            while (true)
            {
                var moved = _progress.Moved;
                var flushed = EndOf(log);
                if (flushed != reported)
                {
                    try
                    {
                        await around.Client.ReportAsync(assignment, flushed, ct);
                        (reported, backoff) = (flushed, around.NewBackoff());
                    }
                    catch (FeedException e)
                    {
                        LogFeed(around.Log, Channel, e.Message);
                        await Task.Delay(backoff.Next(), around.Time, ct);
                    }
                }
                else if (flushed == log.LastLsn)
                {
                    await moved.WaitAsync(ct);
                }

                await Task.Delay(interval, around.Time, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The stream is over, and with it the leader's interest.
        }
        catch (Exception e)
        {
            LogDisk(around.Log, e, Channel);
        }
    }

    private void Appended(long lastLsn)
    {
        Raise(ref _durableLsn, lastLsn);
        _progress.Pulse();
    }

    private void SetState(FollowState state)
    {
        if (_state != state)
        {
            LogState(around.Log, Channel, _state, state);
            _state = state;
        }
    }

    private void RaiseKnownTerm(long term)
    {
        lock (_gate)
        {
            _knownTerm = Math.Max(_knownTerm, term);
        }
    }

    // Only the activity writes it.
    private static void Raise(ref long value, long to) => Volatile.Write(ref value, Math.Max(Volatile.Read(ref value), to));

    [LoggerMessage(Level = LogLevel.Debug, Message = "The replica of channel {Channel} was {Before} and is {Now}")]
    private static partial void LogState(ILogger log, string channel, FollowState before, FollowState now);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The replica of channel {Channel} waits for an order: {State}; it ends at LSN {LastLsn}")]
    private static partial void LogParked(ILogger log, string channel, FollowState state, long lastLsn);

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} (term {Term}): subscribed to {Leader}, which pushes from LSN {NextLsn} on; the replica ends at LSN {LastLsn}")]
    private static partial void LogSubscribed(ILogger log, string channel, long term, Uri leader, long nextLsn, long lastLsn);
}
