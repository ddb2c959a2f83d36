using Baton.Core.Api;
using Baton.Storage.Replicas;

namespace Baton.Node.Replicas;

/// <content>Orders that run on behind their answers: to come to a target from where the replica is, or from nothing.</content>
internal sealed partial class Follower
{
    /// <summary>Fetches from the storage what is missing up to a target.</summary>
    public async Task<ReplicaCatchUpResponse> CatchUpAsync(ReplicaCatchUpRequest request, CancellationToken ct)
    {
        var order = await OrderAsync(request.SessionId, null, request.TargetLsn, ct);
        await WaitAsync(order, request.SessionId, request.WaitMs, ct);
        return new ReplicaCatchUpResponse(Math.Min(FlushedLsn, order.TargetLsn), order.Done, _state, order.Bytes);
    }

    /// <summary>Drops the copy and builds it anew.</summary>
    public async Task<ReplicaRebuildResponse> RebuildAsync(ReplicaRebuildRequest request, CancellationToken ct)
    {
        var order = await OrderAsync(request.SessionId, request.Source, request.TargetLsn, ct);
        await WaitAsync(order, request.SessionId, request.WaitMs, ct);
        return order.Refusal is { } refusal
            ? throw new ApiException(refusal.Error)
            : new ReplicaRebuildResponse(order.Phase, order.Prepared ? Math.Min(FlushedLsn, order.TargetLsn) : 0, order.Done, order.SnapshotLsn, order.Bytes);
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
        bool done;
        try
        {
            done = await RetryAsync(log => PullAsync(order, log, ct), ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Not ended: whoever stopped it drops the order, or has it go on.
            throw;
        }
        catch
        {
            order.End(done: false, order.Refusal);
            throw;
        }

        // Also when it is being stopped now: it is over, and nobody would carry it on.
        order.End(done, order.Refusal);
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
            await FetchAsync(log, order.TargetLsn, order, ct);
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

    [LoggerMessage(Level = LogLevel.Information, Message = "The replica of channel {Channel} is rebuilt from {Source}: LSN {FirstLsn} to {TargetLsn}")]
    private static partial void LogRebuilds(ILogger log, string channel, string source, long firstLsn, long targetLsn);
}
