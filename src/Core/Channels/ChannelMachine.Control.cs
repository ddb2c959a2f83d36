using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <content>What this cluster's control plane asks for: records of broadcasts, and changes of the configuration among them.</content>
public sealed partial class ChannelMachine
{
    /// <summary>
    /// Prepares one vchannel's record of a broadcast. What is in the log already, by broadcast id and vchannel, is answered again, whatever
    /// the message says now. A change of configuration is taken whatever the role: it is how the role changes.
    /// </summary>
    public Prepared<BroadcastResult> PrepareControl(ControlRequest request, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(request);
        var tick = NextTick(now);
        if (CheckControl(request) is { } error)
        {
            return Refuse<BroadcastResult>(error);
        }

        if (_broadcasts.Find(request.BroadcastId, request.VChannel) is { } first)
        {
            return Repeat(first, first.Ack.Lsn);
        }

        if (request.Message.AlterReplicateConfig is { } change)
        {
            return CheckNotSuperseded(request.BroadcastId, change) is { } late
                ? Refuse<BroadcastResult>(late)
                : PrepareConfigChange(request.BroadcastId, request.VChannel, request.Message, source: null, tick, LastLsn + 1);
        }

        if (_gate.CheckLocal() is { } violation)
        {
            return Refuse<BroadcastResult>(violation);
        }

        var record = BroadcastRecord(request.BroadcastId, request.VChannel, request.Message, source: null, tick);
        return Append(new BroadcastResult(new BroadcastAck(LastLsn + 1, ConfirmedAt(LastLsn + 1, tick, []), tick), [], null), [record]);
    }

    private ApiError? CheckControl(ControlRequest request)
    {
        if (!ExactNumbers.IsPosition(request.BroadcastId))
        {
            return ApiError.InvalidArgument("broadcastId must be 1 or above, and below 2^53");
        }

        if (CheckVChannel(request.VChannel) is { } error)
        {
            return error;
        }

        if (request.Message is not { Kind: not null, VChannels: not null, ResourceKeys: not null } message)
        {
            return ApiError.InvalidArgument("message: kind, vchannels and resourceKeys are needed");
        }

        if (!message.VChannels.Contains(request.VChannel, StringComparer.Ordinal))
        {
            return ApiError.InvalidArgument($"message: vchannels do not name {request.VChannel}");
        }

        var right = BroadcastRules.IsConfigChange(message) ? message.AlterReplicateConfig?.Configuration is not null : message.AlterReplicateConfig is null;
        return right
            ? null
            : ApiError.InvalidArgument($"message: kind {BroadcastMessage.AlterReplicateConfigKind} and a configuration belong together");
    }

    // A call that was under way when its operation was overtaken by a promotion must not put the channel back under the old primary.
    private ApiError? CheckNotSuperseded(long broadcastId, AlterReplicateConfig change) => !change.Ignored && broadcastId < _gate.ForcedBroadcastId
        ? ApiError.Conflict($"broadcast {broadcastId} changes the configuration, but is older than broadcast {_gate.ForcedBroadcastId}, which forced the one in force")
        : null;

    private Prepared<BroadcastResult> PrepareConfigChange(long broadcastId, string vchannel, BroadcastMessage message, SourcePosition? source, long tick, long lsn)
    {
        var change = message.AlterReplicateConfig!;
        var rolledBack = change.Ignored ? [] : RolledBackBy(change, broadcastId, source, tick);
        var content = new AlterReplicateConfigRecord(message, rolledBack, _gate.Checkpoint);
        var record = new WalRecord
        {
            Type = WalRecordType.AlterReplicateConfig,
            TimeTick = tick,
            VChannel = vchannel,
            BroadcastId = broadcastId,
            Source = source,
            Payload = BroadcastPayload.Encode(content),
        };
        var ack = new BroadcastAck(lsn, ConfirmedAt(lsn, tick, rolledBack), tick);
        return Append(new BroadcastResult(ack, rolledBack, _gate.Checkpoint), [record], exclusive: !change.Ignored);
    }

    /// <summary>
    /// The transactions that the change ends. Forced: all. Otherwise those that nobody could end any more: local ones where the channel
    /// turns secondary, and the replicated one where its source is given up. Left open, that one would never expire.
    /// </summary>
    private long[] RolledBackBy(AlterReplicateConfig change, long broadcastId, SourcePosition? source, long tick)
    {
        var next = _gate.Switch(change, broadcastId, source);
        return [.. _transactions.OpenAt(tick)
            .Where(s => change.Forced || (s.Replicated ? !_gate.KeepsSource(next) : next.Role == ClusterRole.Secondary))
            .Select(s => s.TxnId)];
    }

    // What LastConfirmedLsn will be when the record is applied.
    private long ConfirmedAt(long lsn, long tick, long[] rolledBack)
    {
        var earliest = _transactions.OpenAt(tick).FirstOrDefault(s => !rolledBack.Contains(s.TxnId));
        return earliest is null ? lsn : earliest.BeginLsn - 1;
    }

    private static WalRecord BroadcastRecord(long broadcastId, string vchannel, BroadcastMessage message, SourcePosition? source, long tick) => new()
    {
        Type = WalRecordType.Broadcast,
        TimeTick = tick,
        VChannel = vchannel,
        BroadcastId = broadcastId,
        Source = source,
        Payload = BroadcastPayload.Encode(message),
    };
}
