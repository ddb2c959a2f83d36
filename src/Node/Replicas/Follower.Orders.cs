using Baton.Core.Api;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;

namespace Baton.Node.Replicas;

/// <content>
/// Orders of recovery sessions. From connect on the replica holds still, so that what a step finds is what the next one meets; a pull runs on behind its answer and ends
/// in following; release, or silence, lets it follow again. Every step may come twice: it finds done what is done.
/// </content>
internal sealed partial class Follower
{
    /// <summary>Binds a session and compares the log.</summary>
    public async Task<ReplicaConnectResponse> ConnectAsync(ReplicaConnectRequest request, CancellationToken ct) => await InTurnAsync(
        async limit =>
        {
            var assignment = _assignment ?? throw NotFollowed(Channel);
            if (request.Epoch < KnownTerm)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"the replica of channel {Channel} knows term {KnownTerm}: epoch {request.Epoch} is below it");
            }

            if (_session.Bind(request.SessionId, request.Epoch))
            {
                try
                {
                    await StopAsync(StepTimeout);
                    DropOrder();
                    Adopt(assignment, request);
                    SetState(await CompareAsync(await OpenLogAsync(limit), limit));
                    StartActivity(Mode.Hold);
                }
                catch
                {
                    // Not bound: the next try does all of it again, and until then the replica follows.
                    _session.Clear();
                    if (_activity.IsCompleted)
                    {
                        StartActivity(Mode.Follow);
                    }

                    throw;
                }
            }

            return _log is { } log ? new ReplicaConnectResponse(_state, KnownTerm, log.FirstLsn, EndOf(log)) : throw Unavailable();
        },
        ct);

    /// <summary>What is on the disk.</summary>
    public Task<ReplicaHandshakeResponse> HandshakeAsync(long sessionId, CancellationToken ct) => BorrowAsync(
        sessionId,
        async (log, limit) =>
        {
            await log.FlushAsync(limit);
            return Position(log);
        },
        ct);

    /// <summary>One record.</summary>
    public Task<ReplicaPositionResponse> PositionAsync(long sessionId, long lsn, CancellationToken ct) => BorrowAsync(
        sessionId,
        async (log, limit) => await log.PositionAsync(lsn, limit) is { } held
            ? new ReplicaPositionResponse(lsn, held.Term, held.Crc)
            : throw new ApiException(ApiErrorCode.NotFound, $"the replica of channel {Channel} holds LSN {log.FirstLsn} to {log.LastLsn}, not {lsn}"),
        ct);

    /// <summary>Drops every record above <paramref name="lsn"/>.</summary>
    public Task<ReplicaHandshakeResponse> TruncateAsync(long sessionId, long lsn, CancellationToken ct) => InSessionAsync(
        sessionId,
        async limit =>
        {
            await StopAsync(StepTimeout);
            try
            {
                var log = await OpenLogAsync(limit);
                if (lsn > log.LastLsn || lsn < log.FirstLsn - 1)
                {
                    throw new ApiException(ApiErrorCode.Conflict, $"the replica of channel {Channel} holds LSN {log.FirstLsn} to {log.LastLsn}: it cannot be truncated to {lsn}");
                }

                DropOrder();
                _compared = false;

                // Not given up half way: whether the caller still waits makes no difference to the log.
                await log.TruncateAsync(lsn, CancellationToken.None);
                LogTruncated(around.Log, Channel, sessionId, lsn);
                Volatile.Write(ref _durableLsn, 0);
                SetState(await CompareAsync(log, limit));
                return Position(log);
            }
            finally
            {
                StartActivity(Mode.Hold);
            }
        },
        ct);

    /// <summary>Fetches from the storage what is missing up to a target.</summary>
    public async Task<ReplicaCatchUpResponse> CatchUpAsync(ReplicaCatchUpRequest request, CancellationToken ct)
    {
        var order = await OrderAsync(request.SessionId, null, request.TargetLsn, ct);
        await WaitAsync(order, request.SessionId, request.WaitMs, ct);
        return new ReplicaCatchUpResponse(Math.Min(FlushedLsn, order.TargetLsn), order.Done, _state);
    }

    /// <summary>Drops the copy and builds it anew.</summary>
    public async Task<ReplicaRebuildResponse> RebuildAsync(ReplicaRebuildRequest request, CancellationToken ct)
    {
        var order = await OrderAsync(request.SessionId, request.Source, request.TargetLsn, ct);
        await WaitAsync(order, request.SessionId, request.WaitMs, ct);
        return order.Refusal is { } refusal
            ? throw new ApiException(refusal.Error)
            : new ReplicaRebuildResponse(order.Phase, order.Prepared ? Math.Min(FlushedLsn, order.TargetLsn) : 0, order.Done, order.SnapshotLsn);
    }

    /// <summary>Ends a session: the replica follows again by itself.</summary>
    public Task ReleaseAsync(long sessionId, CancellationToken ct) => InTurnAsync(
        async _ =>
        {
            if (_assignment is null)
            {
                throw NotFollowed(Channel);
            }

            if (_session.Release(sessionId) && _mode != Mode.Follow)
            {
                await StopAsync(StepTimeout);
                DropOrder();
                StartActivity(Mode.Follow);
            }

            return true;
        },
        ct);

    /// <summary>What a caller gets who takes this node for a replica.</summary>
    public static ApiException NotFollowed(string channel) => new(ApiErrorCode.NotFound, $"this node does not follow channel {channel}");

    private static ReplicaHandshakeResponse Position(ReplicaLog log)
    {
        var flushed = log.Flushed;
        return new ReplicaHandshakeResponse(EndOf(log), flushed.Term, flushed.Crc, log.FirstLsn);
    }

    /// <summary>The order as it runs, or has ended; begun where it is another than the last one, or where that could not be carried out.</summary>
    private Task<PullOrder> OrderAsync(long sessionId, string? source, long targetLsn, CancellationToken ct) => InSessionAsync(
        sessionId,
        async _ =>
        {
            if (_order is { Failed: false } same && same.Is(sessionId, source, targetLsn))
            {
                return same;
            }

            await StopAsync(StepTimeout);
            DropOrder();
            var order = new PullOrder(sessionId, source, targetLsn);
            _order = order;
            StartActivity(Mode.Pull);
            return order;
        },
        ct);

    private async Task WaitAsync(PullOrder order, long sessionId, int waitMs, CancellationToken ct)
    {
        await ((Task)order.Ended).WaitAsync(TimeSpan.FromMilliseconds(waitMs), around.Time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();

        // A long wait is no silence.
        _session.Call(sessionId);
    }

    /// <summary>Carries out an order. True when the target is on the disk.</summary>
    private async Task<bool> PullAsync(PullOrder order, CancellationToken ct)
    {
        var done = false;
        try
        {
            done = await RetryAsync(log => PullAsync(order, log, ct), ct);
        }
        finally
        {
            if (!ct.IsCancellationRequested)
            {
                order.End(done, order.Refusal);
            }
        }

        return done;
    }

    private async Task<bool?> PullAsync(PullOrder order, ReplicaLog log, CancellationToken ct)
    {
        if (order.Source is not null && !order.Prepared)
        {
            if (await SourceAsync(order, ct) is not { } firstLsn)
            {
                return false;
            }

            _compared = false;
            await log.ResetAsync(firstLsn, CancellationToken.None);
            LogRebuilds(around.Log, Channel, order.Source, firstLsn, order.TargetLsn);
            Volatile.Write(ref _durableLsn, 0);
            order.Prepared = true;
            order.Phase = order.SnapshotLsn is null ? "transfer" : "tail_replay";
        }

        if (!_compared)
        {
            SetState(await CompareAsync(log, ct));
        }

        if (_state is FollowState.Diverged or FollowState.NeedsRebuild)
        {
            return false;
        }

        SetState(FollowState.CatchingUp);
        var before = log.LastLsn;
        if (before < order.TargetLsn)
        {
            await FetchAsync(log, order.TargetLsn, ct);
        }

        await log.FlushAsync(ct);
        if (log.LastLsn > before)
        {
            _backoff = around.NewBackoff();
        }

        // The log may not have the target yet. Nobody waits for it longer than its session does.
        return log.LastLsn >= order.TargetLsn ? true : _session.Left == TimeSpan.Zero ? false : null;
    }

    /// <summary>The LSN at which the new copy begins; null where there is no such source.</summary>
    private async Task<long?> SourceAsync(PullOrder order, CancellationToken ct)
    {
        if (order.Source == ReplicaRebuildRequest.FullBase)
        {
            return (await around.Store.ReadManifestAsync(Channel, ct))?.FirstLsn ?? 1;
        }

        if (await around.Store.FindSnapshotAsync(Channel, ct) is not { } snapshotLsn)
        {
            order.End(false, new ApiException(ApiErrorCode.Conflict, $"channel {Channel} has no snapshot that can be used: rebuild it from {ReplicaRebuildRequest.FullBase}"));
            return null;
        }

        order.SnapshotLsn = snapshotLsn;
        return snapshotLsn + 1;
    }

    private void Adopt(Assignment assignment, ReplicaConnectRequest request)
    {
        if (request.Epoch <= assignment.Term)
        {
            return;
        }

        lock (_gate)
        {
            // Its present leader is one of the past. The next one may be told here; else the next assignment tells.
            _knownTerm = request.Epoch;
            _wanted = _assignment = assignment with { Term = request.Epoch, LeaderEndpoint = request.LeaderEndpoint };
        }
    }

    /// <summary>Has <paramref name="step"/> look at the log between two turns of the activity, which then goes on with what it was doing.</summary>
    private Task<T> BorrowAsync<T>(long sessionId, Func<ReplicaLog, CancellationToken, Task<T>> step, CancellationToken ct) => InSessionAsync(
        sessionId,
        async limit =>
        {
            await StopAsync(StepTimeout);
            try
            {
                return await step(await OpenLogAsync(limit), limit);
            }
            finally
            {
                StartActivity(_mode);
            }
        },
        ct);

    private Task<T> InSessionAsync<T>(long sessionId, Func<CancellationToken, Task<T>> step, CancellationToken ct) => InTurnAsync(
        limit =>
        {
            if (_assignment is null)
            {
                throw NotFollowed(Channel);
            }

            // Before anything is touched: a stale session changes nothing.
            _session.Call(sessionId);
            return step(limit);
        },
        ct);

    private async Task<T> InTurnAsync<T>(Func<CancellationToken, Task<T>> step, CancellationToken ct)
    {
        if (!await _turn.WaitAsync(StepTimeout, ct))
        {
            throw Unavailable();
        }

        using var limit = new CancellationTokenSource(StepTimeout, around.Time);
        try
        {
            return await step(limit.Token);
        }
        catch (Exception e) when (e is WalFaultedException or WalDamagedException or ReplicaFaultedException or ReplicaDamagedException or ReplicaCutException or TimeoutException || (e is OperationCanceledException && limit.IsCancellationRequested))
        {
            LogStep(around.Log, e, Channel);
            throw Unavailable();
        }
        finally
        {
            _turn.Release();
        }
    }

    private ApiException Unavailable() => new(ApiErrorCode.Unavailable, $"the replica of channel {Channel} could not do that in time; the node's log has the details") { RetryAfterSeconds = 1 };

    [LoggerMessage(Level = LogLevel.Warning, Message = "The replica of channel {Channel} was truncated to LSN {Lsn} by session {SessionId}")]
    private static partial void LogTruncated(ILogger log, string channel, long sessionId, long lsn);

    [LoggerMessage(Level = LogLevel.Information, Message = "The replica of channel {Channel} is rebuilt from {Source}: LSN {FirstLsn} to {TargetLsn}")]
    private static partial void LogRebuilds(ILogger log, string channel, string source, long firstLsn, long targetLsn);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A recovery step of channel {Channel} did not succeed")]
    private static partial void LogStep(ILogger log, Exception exception, string channel);
}
