using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Wal;
using Baton.Edge.Retries;
using Baton.Node.Channels;
using Baton.Node.Replicas;
using Baton.Node.Replicas.Feed;
using Baton.Node.Settings;
using Baton.Storage.Wal;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>
/// Keeps this node's copy of the catalogue as the log is, while another node leads it.
/// <code>
/// state       meaning                                                 goes on to
/// joining     not in the cluster yet                                  recovering when it is
/// recovering  nothing, or something that differs, is in memory:       waiting when the log's end is reached
///             the newest snapshot that verifies and what is behind it
/// waiting     this node leads itself, or nobody is known to           following when another node is known to lead
/// following   takes what the leader pushes once it is durable;        waiting when the stream breaks; recovering when what is missing was deleted
///             what is missing is read from the log                    behind a snapshot, or the copy was found to differ
/// stopped     the log has a command that this version does not know   -
/// </code>
/// What is pushed is durable, and what is durable is never taken back: a former leader can push nothing that a later one does not have. A copy therefore only goes forward, whoever pushes.
/// </summary>
internal sealed partial class MetadataFollower(
    MetadataCopy copy,
    MetadataLeader leader,
    ChannelTable channels,
    WalStore store,
    FeedClient feeds,
    MetadataMetrics metrics,
    IOptions<NodeSettings> node,
    IOptions<FollowSettings> follow,
    IOptions<MetadataSettings> settings,
    TimeProvider time,
    ILogger<MetadataFollower> log) : BackgroundService
{
    /// <summary>How often the log is looked at while no leader pushes.</summary>
    private static readonly TimeSpan LookPause = TimeSpan.FromSeconds(1);

    /// <summary>Reports of progress under way at most: with Quorum, one after the other would cost each command its own and that of the one before.</summary>
    private const int MaxReports = 8;

    private TaskCompletionSource _differs = NewSignal();
    private bool _recovered;
    private string? _problem;

    /// <summary>Why this copy does not follow, for people to read; null while it does.</summary>
    public string? Problem => Volatile.Read(ref _problem);

    /// <summary>The copy was made from the log, and goes on from there.</summary>
    public bool IsRecovered => Volatile.Read(ref _recovered);

    /// <summary>What it took to make the copy from the log; null before the first time.</summary>
    public TimeSpan? RecoveredIn { get; private set; }

    /// <summary>LSN that it had then.</summary>
    public long? RecoveredLsn { get; private set; }

    /// <summary>The copy was found to differ from the leader's: it is made anew from the log, by the loop that owns it.</summary>
    public void Rebuild() => Volatile.Read(ref _differs).TrySetResult();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await leader.Heard.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        var backoff = NewBackoff();
        while (!stoppingToken.IsCancellationRequested)
        {
            // Taken before the look, so that no change falls between the two.
            var (heard, opened) = (leader.Changed, channels.Opened);
            LeaderHint? followed = null;
            try
            {
                if (!_recovered || _differs.Task.IsCompleted)
                {
                    await RecoverAsync(stoppingToken);
                }

                if (channels.Find(MetadataChannel.Name) is { } led)
                {
                    await led.WaitEndAsync().WaitAsync(stoppingToken);
                    continue;
                }

                if (leader.Known is { } known && !string.Equals(known.NodeId, node.Value.Id, StringComparison.Ordinal))
                {
                    followed = known;
                    await FollowAsync(known, () => backoff = NewBackoff(), stoppingToken);
                }

                // Nobody pushes: what a leader that this node does not know of has written is seen in the log.
                await Task.WhenAny(heard, opened, Task.Delay(LookPause, time, stoppingToken));
                await ReadAsync(long.MaxValue, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (UnknownMetadataCommandException e)
            {
                // Left out, it would make this node's answers wrong for good. Only another version of this program helps.
                Volatile.Write(ref _problem, e.Message);
                LogStopped(log, copy.State.LastLsn, e.Message);
                return;
            }
            catch (WalTrimmedException e)
            {
                LogTrimmed(log, copy.State.LastLsn, e.Message);
                _recovered = false;
            }
            catch (Exception e) when (e is FeedException or WalFaultedException or WalDamagedException)
            {
                Volatile.Write(ref _problem, e is FeedException ? null : "its log cannot be read at the moment");
                LogBroken(log, copy.State.LastLsn, e.Message);
                if (e is FeedException broken && followed is { } silent)
                {
                    leader.Missed(silent, broken.InnerException is IOException or HttpRequestException ? e.Message : null);
                }

                await Task.WhenAny(heard, opened, Task.Delay(backoff.Next(), time, stoppingToken));
            }
            catch (Exception e)
            {
                // Without this loop the copy stands still for good, and nobody would know.
                Volatile.Write(ref _problem, "an unexpected error; the node's log has the details");
                LogUnexpected(log, e);
                await Task.Delay(backoff.Next(), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task RecoverAsync(CancellationToken ct)
    {
        var began = time.GetTimestamp();
        var asked = _differs;
        var (state, records) = await ReplayAsync(ct);
        if (asked.Task.IsCompleted)
        {
            copy.Replace(state);
            Volatile.Write(ref _differs, NewSignal());
        }
        else
        {
            copy.Publish(state);
        }

        _recovered = true;
        Volatile.Write(ref _problem, null);
        var elapsed = time.GetElapsedTime(began);
        metrics.Recovered(elapsed);
        (RecoveredIn, RecoveredLsn) = (elapsed, state.LastLsn);
        LogRecovered(log, state.LastLsn, records, (long)elapsed.TotalMilliseconds);
    }

    private async Task<(MetadataState State, int Records)> ReplayAsync(CancellationToken ct)
    {
        var state = MetadataState.Empty;
        var records = 0;
        await store.ReplayAsync(
            MetadataChannel.Name,
            new WalReplay(
                (lsn, record) =>
                {
                    state = state.Apply(lsn, record);
                    records++;
                    return ValueTask.CompletedTask;
                },
                snapshot =>
                {
                    if (ChannelSnapshot.TryDecode(snapshot.Content.Span, out var problem) is { } content && MetadataSnapshots.TryDecode(content, snapshot.Lsn, out problem) is { } catalogue)
                    {
                        state = catalogue;
                        return ValueTask.FromResult(true);
                    }

                    LogRefused(log, snapshot.Lsn, problem ?? "unknown");
                    return ValueTask.FromResult(false);
                }),
            ct);
        return (state, records);
    }

    private async Task FollowAsync(LeaderHint known, Action works, CancellationToken ct)
    {
        var assignment = new Assignment(MetadataChannel.Name, Assignments.Replica, known.Term, known.Endpoint, ReplicaMode.Async);
        await using var feed = await feeds.OpenAsync(assignment, ct);
        LogFollowing(log, known.NodeId, known.Term, feed.Start.DurableLsn, copy.State.LastLsn);
        var buffer = new FeedBuffer(feed.Start.DurableLsn, follow.Value.HeldBytes);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var reading = feed.ReadIntoAsync(buffer, stop.Token);
        var reporting = ReportAsync(assignment, stop.Token);
        try
        {
            await TakeAsync(known, buffer, works, ct);
        }
        finally
        {
            // Both never fail.
            await stop.CancelAsync();
            await Task.WhenAll(reading, reporting);
        }
    }

    private async Task TakeAsync(LeaderHint known, FeedBuffer buffer, Action works, CancellationToken ct)
    {
        while (!_differs.Task.IsCompleted)
        {
            // A former leader that nobody writes to does not notice, and its stream would go on for ever.
            var (heard, opened, moved) = (leader.Changed, channels.Opened, buffer.Moved);
            if (leader.Known?.Term > known.Term || channels.Find(MetadataChannel.Name) is not null)
            {
                return;
            }

            var step = buffer.Next(copy.State.LastLsn);
            if (step.Batch is { } batch)
            {
                Apply(WalBatchCodec.Decode(batch));
            }
            else if (step.FetchThroughLsn > 0)
            {
                metrics.Gap();
                var before = copy.State.LastLsn;
                await ReadAsync(step.FetchThroughLsn, ct);
                if (copy.State.LastLsn == before)
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
                works();
                copy.SeenLeaderAt(buffer.DurableLsn);
                await Task.WhenAny(moved, heard, opened, _differs.Task).WaitAsync(ct);
            }
        }
    }

    private void Apply(WalBatch batch)
    {
        var state = copy.State;
        for (var i = 0; i < batch.Records.Count; i++)
        {
            if (batch.FirstLsn + i > state.LastLsn)
            {
                state = state.Apply(batch.FirstLsn + i, batch.Records[i]);
                copy.Publish(state);
            }
        }
    }

    /// <summary>Takes over what the log has behind the copy, through <paramref name="throughLsn"/> or to its end.</summary>
    private async Task ReadAsync(long throughLsn, CancellationToken ct)
    {
        var state = copy.State;
        if (throughLsn <= state.LastLsn)
        {
            return;
        }

        await foreach (var entry in store.ReadAsync(MetadataChannel.Name, state.LastLsn + 1, throughLsn, ct))
        {
            state = state.Apply(entry.Lsn, entry.Record);
            copy.Publish(state);
        }
    }

    /// <summary>Tells the leader how far this copy is: at once where answers wait for that, else now and then. Ends when it is told to, and never fails.</summary>
    private async Task ReportAsync(Assignment assignment, CancellationToken ct)
    {
        using var places = new SemaphoreSlim(MaxReports, MaxReports);
        var reports = new List<Task>();
        var told = -1L;
        try
        {
            while (true)
            {
                var moved = copy.Moved;
                if (copy.State.LastLsn is var lsn && lsn > told)
                {
                    await places.WaitAsync(ct);
                    told = copy.State.LastLsn;
                    reports.RemoveAll(r => r.IsCompleted);
                    reports.Add(ReportOnceAsync(assignment, told, places, ct));
                }
                else
                {
                    await moved.WaitAsync(ct);
                }

                if (settings.Value.Commit == MetadataCommit.Wal)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(follow.Value.ProgressIntervalMs), time, ct);
                }
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(reports);
        }
    }

    private async Task ReportOnceAsync(Assignment assignment, long lsn, SemaphoreSlim places, CancellationToken ct)
    {
        try
        {
            await feeds.ReportAsync(assignment, lsn, ct);
        }
        catch (Exception e) when (e is FeedException or OperationCanceledException)
        {
            // The stream shows whether the leader is there; the next report says what this one would have.
            LogNotTold(log, lsn, e.Message);
        }
        finally
        {
            places.Release();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Backoff NewBackoff() => new(TimeSpan.FromMilliseconds(follow.Value.RetryDelayMs), TimeSpan.FromMilliseconds(follow.Value.RetryMaxDelayMs));

    [LoggerMessage(Level = LogLevel.Information, Message = "The catalogue is here through LSN {Lsn}, from the newest snapshot and {Records} records behind it, in {ElapsedMs} ms")]
    private static partial void LogRecovered(ILogger log, long lsn, int records, long elapsedMs);

    [LoggerMessage(Level = LogLevel.Information, Message = "Following the catalogue of node {NodeId} (term {Term}), which ends at LSN {LeaderLsn}, from LSN {Lsn} on")]
    private static partial void LogFollowing(ILogger log, string nodeId, long term, long leaderLsn, long lsn);

    [LoggerMessage(Level = LogLevel.Information, Message = "The catalogue stands at LSN {Lsn} for a moment: {Reason}")]
    private static partial void LogBroken(ILogger log, long lsn, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "What follows LSN {Lsn} of the catalogue is deleted behind a snapshot, which is read instead: {Reason}")]
    private static partial void LogTrimmed(ILogger log, long lsn, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalogue's snapshot at LSN {Lsn} is not used: {Problem}")]
    private static partial void LogRefused(ILogger log, long lsn, string problem);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The catalogue stops at LSN {Lsn} on this node: {Reason}")]
    private static partial void LogStopped(ILogger log, long lsn, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalogue cannot be followed: trying again")]
    private static partial void LogUnexpected(ILogger log, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The leader of the metadata was not told that LSN {Lsn} is here: {Reason}")]
    private static partial void LogNotTold(ILogger log, long lsn, string reason);
}
