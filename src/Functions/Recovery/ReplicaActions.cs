using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Functions.Nodes;
using Baton.Functions.Topology;
using Baton.Storage.Wal;

namespace Baton.Functions.Recovery;

/// <summary>
/// Does what a session's run asks for, on its replica's node, with the channel's leader, and in the manifest of the channel's log. Each action may be done twice. Records never come through here: the
/// replica fetches them from the blobs.
/// </summary>
internal sealed class ReplicaActions(NodeClient nodes, ClusterStateStore states, WalStore logs, RecoveryOptions options, ILogger<ReplicaActions> logger)
{
    /// <summary>Does the run's next action.</summary>
    /// <param name="run">The run.</param>
    /// <param name="renewPin">Whether it is time to say again that the log is to be kept.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<RecoveryAnswer> DoAsync(RecoveryRun run, bool renewPin, CancellationToken ct)
    {
        try
        {
            if (renewPin && await RenewPinAsync(run, ct) is { } released)
            {
                return released;
            }

            return run.Next.Kind switch
            {
                RecoveryActionKind.Pin => await PinAsync(run, ct),
                RecoveryActionKind.Unpin => await UnpinAsync(run, ct),
                _ => await WithLeaderAsync(run, ct),
            };
        }
        catch (NodeCallException e)
        {
            // What is not there yet may come: the node follows the channel, or leads it, from its next heartbeat on.
            var mayCome = e.Failure != NodeCallFailure.Refused || e.Is(ApiErrorCode.Unavailable) || e.Is(ApiErrorCode.NotFound) || e.Is(ApiErrorCode.NotLeader) || e.Is(ApiErrorCode.Overloaded);
            return new RecoveryAnswer(mayCome ? RecoveryResult.NoAnswer : RecoveryResult.Refused, e.Message);
        }
        catch (WalFaultedException e)
        {
            return new RecoveryAnswer(RecoveryResult.NoAnswer, e.Message);
        }
    }

    /// <summary>Lets the replica follow by itself again. One that cannot be told does so by itself, when it has heard nothing for a while.</summary>
    public async Task ReleaseAsync(RecoveryRun run, CancellationToken ct)
    {
        try
        {
            await Orders(run).ReleaseAsync(ct);
        }
        catch (NodeCallException e)
        {
            logger.LogInformation("The replica {Replica} could not be let go of, and will notice by itself: {Reason}", run.Sender.Replica, e.Message);
        }
    }

    /// <summary>Keeps the log no longer for a replica.</summary>
    public Task UnpinAsync(ReplicaKey replica, CancellationToken ct) => logs.ReleasePinAsync(replica.Channel, PinId(replica), ct);

    private static string PinId(ReplicaKey replica) => $"recovery-{replica.ReplicaId}";

    private static RecordMark? Mark(ReplicaPositionResponse? record) => record is null ? null : new RecordMark(record.Term, record.Crc);

    private ReplicaOrders Orders(RecoveryRun run) => new(nodes, run.Sender.Endpoint.ControlAddress, run.Sender.Replica.Channel, run.SessionId);

    /// <summary>An action that replica and leader take part in. A replica that has forgotten the session that it was bound to, as after a silence, is bound again.</summary>
    private async Task<RecoveryAnswer> WithLeaderAsync(RecoveryRun run, CancellationToken ct)
    {
        var (replica, epoch) = (run.Sender.Replica, run.Sender.Epoch);
        var state = (await states.ReadAsync(ct)).State;
        if (state.Channels.GetValueOrDefault(replica.Channel) is not { Leader: { } id } channel || channel.Term != epoch || state.Nodes.GetValueOrDefault(id)?.Endpoint is not { } leader)
        {
            return new RecoveryAnswer(RecoveryResult.NoAnswer, $"nobody leads channel {replica.Channel} at term {epoch}");
        }

        var orders = Orders(run);
        if (run.Next.Kind == RecoveryActionKind.Connect)
        {
            await orders.ConnectAsync(epoch, leader, ct);
            return RecoveryAnswer.Done;
        }

        try
        {
            return await ActAsync(run, orders, leader, ct);
        }
        catch (NodeCallException e) when (e.Is(ApiErrorCode.Conflict) && e.Problem?.Detail?.Contains(Refusals.NoActiveSession, StringComparison.Ordinal) == true)
        {
            await orders.ConnectAsync(epoch, leader, ct);
            return await ActAsync(run, orders, leader, ct);
        }
    }

    private Task<RecoveryAnswer> ActAsync(RecoveryRun run, ReplicaOrders orders, Uri leader, CancellationToken ct) => run.Next.Kind switch
    {
        RecoveryActionKind.Handshake => HandshakeAsync(run, orders, leader, ct),
        RecoveryActionKind.FindCommon => FindCommonAsync(run, orders, leader, ct),
        RecoveryActionKind.Truncate => TruncateAsync(run, orders, ct),
        RecoveryActionKind.CatchUp => CatchUpAsync(run, orders, ct),
        RecoveryActionKind.Rebuild => RebuildAsync(run, orders, ct),
        RecoveryActionKind.Verify => VerifyAsync(run, orders, leader, ct),
        var other => throw new InvalidOperationException($"{other} is nothing that a replica is asked for."),
    };

    private async Task<RecoveryAnswer> HandshakeAsync(RecoveryRun run, ReplicaOrders orders, Uri leader, CancellationToken ct)
    {
        var said = await orders.HandshakeAsync(ct);
        var isEmpty = said.FlushedLsn < said.FirstLsn;
        var log = await AskLeaderAsync(run, leader, isEmpty ? null : said.FlushedLsn, verifySnapshot: run.Sender.Session?.Kind == SessionKind.Rebuild, ct);
        var replica = new ReplicaPosition(said.FlushedLsn, isEmpty ? null : new RecordMark(said.LastTerm, said.LastCrc), said.FirstLsn);
        var history = new RetainedHistory(log.HeadLsn, log.FirstLsn - 1, log.CommittedLsn, log.SnapshotLsn, log.SnapshotVerified);
        return new RecoveryAnswer(RecoveryResult.Done, Replica: replica, History: history, InLog: Mark(log.Record));
    }

    /// <summary>
    /// Halves the range in which the last common record must be. Two logs that have the same record at a place have the same ones before it: term and place say which leader wrote it, and
    /// what was before was the same for everybody when that leader began.
    /// </summary>
    private async Task<RecoveryAnswer> FindCommonAsync(RecoveryRun run, ReplicaOrders orders, Uri leader, CancellationToken ct)
    {
        var first = Math.Max(run.History!.TailLsn + 1, run.Position!.FirstLsn);
        var (common, differs) = (first - 1, Math.Min(run.Position.FlushedLsn, run.History.CommittedLsn) + 1);
        while (common + 1 < differs)
        {
            var middle = common + ((differs - common) / 2);
            var inLog = Mark((await AskLeaderAsync(run, leader, middle, verifySnapshot: false, ct)).Record);
            (common, differs) = inLog is not null && Mark(await orders.PositionAsync(middle, ct)) == inLog ? (middle, differs) : (common, middle);
        }

        // Nothing in common among what both still have: the records before that cannot be compared, so they do not count.
        return new RecoveryAnswer(RecoveryResult.Done, Lsn: common >= first ? common : 0);
    }

    private static async Task<RecoveryAnswer> TruncateAsync(RecoveryRun run, ReplicaOrders orders, CancellationToken ct) =>
        new(RecoveryResult.Done, Lsn: (await orders.TruncateAsync(run.Next.TargetLsn, ct)).FlushedLsn);

    private async Task<RecoveryAnswer> CatchUpAsync(RecoveryRun run, ReplicaOrders orders, CancellationToken ct)
    {
        var said = await orders.CatchUpAsync(run.Next.TargetLsn, options.StepWait, ct);
        return !said.Done && said.State is FollowState.Diverged or FollowState.NeedsRebuild
            ? new RecoveryAnswer(RecoveryResult.Refused, $"the replica says that it is {RecoveryEvents.Text(said.State)}")
            : new RecoveryAnswer(RecoveryResult.Done, Lsn: said.FlushedLsn, Bytes: said.Bytes);
    }

    private async Task<RecoveryAnswer> RebuildAsync(RecoveryRun run, ReplicaOrders orders, CancellationToken ct)
    {
        var source = run.Next.Source == RebuildSource.SnapshotTail ? ReplicaRebuildRequest.SnapshotTail : ReplicaRebuildRequest.FullBase;
        var said = await orders.RebuildAsync(source, run.Next.TargetLsn, options.StepWait, ct);
        return !said.Done && said.Phase == "aborted"
            ? new RecoveryAnswer(RecoveryResult.Refused, "the replica has given the rebuild up")
            : new RecoveryAnswer(RecoveryResult.Done, Lsn: said.TransferredLsn, Bytes: said.Bytes);
    }

    private async Task<RecoveryAnswer> VerifyAsync(RecoveryRun run, ReplicaOrders orders, Uri leader, CancellationToken ct)
    {
        var target = run.Next.TargetLsn;
        if (target == 0)
        {
            return RecoveryAnswer.Done;
        }

        var inLog = Mark((await AskLeaderAsync(run, leader, target, verifySnapshot: false, ct)).Record);
        try
        {
            return new RecoveryAnswer(RecoveryResult.Done, OfReplica: Mark(await orders.PositionAsync(target, ct)), InLog: inLog);
        }
        catch (NodeCallException e) when (e.Is(ApiErrorCode.NotFound))
        {
            // It does not have the record, whatever it said before.
            return new RecoveryAnswer(RecoveryResult.Refused, e.Message);
        }
    }

    // An answer at another term is of another leadership: what it says of the log may not be what this session's epoch has.
    private async Task<ChannelHistoryResponse> AskLeaderAsync(RecoveryRun run, Uri leader, long? lsn, bool verifySnapshot, CancellationToken ct)
    {
        var log = await nodes.HistoryAsync(leader, run.Sender.Replica.Channel, lsn, verifySnapshot, ct);
        return log.Term == run.Sender.Epoch
            ? log
            : throw new NodeCallException(NodeCallFailure.TimedOut, $"{leader} leads channel {run.Sender.Replica.Channel} at term {log.Term}, not {run.Sender.Epoch}");
    }

    private async Task<RecoveryAnswer> PinAsync(RecoveryRun run, CancellationToken ct)
    {
        try
        {
            await logs.PinAsync(run.Sender.Replica.Channel, PinId(run.Sender.Replica), Math.Max(1, run.Next.FromLsn), options.Pin, ct);
            return RecoveryAnswer.Done;
        }
        catch (Exception e) when (e is WalTrimmedException or InvalidOperationException)
        {
            return new RecoveryAnswer(RecoveryResult.Refused, e.Message);
        }
    }

    private async Task<RecoveryAnswer?> RenewPinAsync(RecoveryRun run, CancellationToken ct)
    {
        var (channel, from) = (run.Sender.Replica.Channel, run.Next.FromLsn);

        // A rebuild is what a release leads to: it is bounded by its budget alone, or it would be released and begun again for ever.
        if (options.MaxRetainedBytes > 0 && run.Next.Kind == RecoveryActionKind.CatchUp && await logs.ReadManifestAsync(channel, ct) is { } manifest
            && RetentionBound.Release([new RetentionHold(run.Sender, from, manifest.SealedBytesFrom(from))], options.MaxRetainedBytes) is [{ Event: { } escalated }])
        {
            return new RecoveryAnswer(RecoveryResult.HoldsTooMuch, escalated.Detail);
        }

        return await PinAsync(run, ct) is { Result: not RecoveryResult.Done } failed ? failed : null;
    }

    private async Task<RecoveryAnswer> UnpinAsync(RecoveryRun run, CancellationToken ct)
    {
        await UnpinAsync(run.Sender.Replica, ct);
        return RecoveryAnswer.Done;
    }
}
