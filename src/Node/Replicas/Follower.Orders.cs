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
            CheckEpoch(request.Epoch);
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

    private void Adopt(Assignment assignment, ReplicaConnectRequest request)
    {
        if (request.Epoch <= assignment.Term)
        {
            return;
        }

        lock (_gate)
        {
            // Assignments come beside the turn: one of a higher term may have come since.
            CheckEpoch(request.Epoch);

            // Its present leader is one of the past. The next one may be told here; else the next assignment tells.
            _knownTerm = request.Epoch;
            _assignment = assignment with { Term = request.Epoch, LeaderEndpoint = request.LeaderEndpoint };
            if (_wanted is { } wanted && wanted.Term < request.Epoch)
            {
                _wanted = _assignment;
            }
        }
    }

    private void CheckEpoch(long epoch)
    {
        if (KnownTerm is var known && epoch < known)
        {
            throw new ApiException(ApiErrorCode.Conflict, $"the replica of channel {Channel} knows term {known}: epoch {epoch} is below it");
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "A recovery step of channel {Channel} did not succeed")]
    private static partial void LogStep(ILogger log, Exception exception, string channel);
}
