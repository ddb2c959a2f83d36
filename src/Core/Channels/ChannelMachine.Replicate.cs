using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <content>What the source cluster sends. Names in it are the source's, and are put into this cluster's by position.</content>
public sealed partial class ChannelMachine
{
    /// <summary>
    /// Prepares replicated records from index <paramref name="from"/> on. One step ends before and after a change of configuration, which
    /// is appended alone and exclusively: prepare again from <see cref="ReplicateAnswer.Next"/> until that is the record count. A violation refuses the
    /// whole step; steps before it stay.
    /// </summary>
    public Prepared<ReplicateAnswer> PrepareReplicate(ReplicateRequest request, int from, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (CheckReplicate(request) is { } malformed)
        {
            return Refuse<ReplicateAnswer>(malformed);
        }

        var step = new ReplicateStep(_gate, LastLsn, NextTick(now));
        var next = from;
        for (; next < request.Records.Count; next++)
        {
            var record = request.Records[next];
            var position = new SourcePosition(request.ClusterId, request.Channel, record.Lsn, record.TimeTick);
            if (Take(step, record, position, out var ends) is { } error)
            {
                return Refuse<ReplicateAnswer>(error with { Detail = $"records[{next}] (LSN {record.Lsn} of the source): {error.Detail}" });
            }

            if (ends is ReplicateStep.Ends.Before)
            {
                break;
            }

            if (ends is ReplicateStep.Ends.After)
            {
                next++;
                break;
            }
        }

        // Repeats are answered as taken over, so all that is in the log must be durable before the answer leaves.
        var answer = new ReplicateAnswer(step.Records.Count, step.Ignored, next, step.Gate.Checkpoint);
        return Append(answer, step.Records, step.Exclusive);
    }

    private ApiError? CheckReplicate(ReplicateRequest request)
    {
        if (string.IsNullOrEmpty(request.ClusterId) || string.IsNullOrEmpty(request.Channel) || request.Records is null)
        {
            return ApiError.InvalidArgument("clusterId, channel and records are needed");
        }

        if (request.Records.Count > _limits.MaxMessages)
        {
            return ApiError.InvalidArgument($"records: at most {_limits.MaxMessages} in one request, got {request.Records.Count}");
        }

        for (var i = 0; i < request.Records.Count; i++)
        {
            if (CheckReplicated(request.Records[i], request.Channel) is { } error)
            {
                return error with { Detail = $"records[{i}]: {error.Detail}" };
            }
        }

        // Without records it still tells whether this source is taken.
        return request.Records.Count == 0 ? _gate.CheckSource(request.ClusterId, request.Channel) : null;
    }

    private ApiError? CheckReplicated(ReadMessage? record, string sourceChannel)
    {
        // One record from beyond would move the checkpoint past everything that the source can ever send.
        if (record is null || !ExactNumbers.IsPosition(record.Lsn) || !ExactNumbers.IsPosition(record.TimeTick))
        {
            return ApiError.InvalidArgument("lsn and timeTick must be 1 or above, and below 2^53");
        }

        if (record.Payload?.Length > _limits.MaxPayloadBytes)
        {
            return new ApiError(ApiErrorCode.PayloadTooLarge, $"payload is {record.Payload.Length} bytes, at most {_limits.MaxPayloadBytes} are taken");
        }

        if (record.VChannel is { } vchannel && !(VChannels.IsValid(vchannel) && string.Equals(VChannels.ChannelOf(vchannel), sourceChannel, StringComparison.Ordinal)))
        {
            return ApiError.InvalidArgument($"vchannel {vchannel} is not one of channel {sourceChannel}");
        }

        return record.Type switch
        {
            WalRecordType.TxnBegin or WalRecordType.TxnBody or WalRecordType.TxnCommit or WalRecordType.TxnRollback when !ExactNumbers.IsPosition(record.TxnId ?? 0) =>
                ApiError.InvalidArgument("txnId must be 1 or above, and below 2^53"),
            WalRecordType.Broadcast or WalRecordType.AlterReplicateConfig when !ExactNumbers.IsPosition(record.BroadcastId ?? 0) =>
                ApiError.InvalidArgument("broadcastId must be 1 or above, and below 2^53"),
            WalRecordType.Message or WalRecordType.TxnBody when record.Payload is null => ApiError.InvalidArgument("payload is missing"),
            _ => null,
        };
    }

    private ApiError? Take(ReplicateStep step, ReadMessage record, SourcePosition position, out ReplicateStep.Ends ends)
    {
        ends = ReplicateStep.Ends.No;
        return record.Type switch
        {
            WalRecordType.AlterReplicateConfig => TakeConfigChange(step, record, position, out ends),
            WalRecordType.Broadcast => TakeBroadcast(step, record, position),
            _ => TakePlain(step, record, position),
        };
    }

    private static ApiError? TakePlain(ReplicateStep step, ReadMessage record, SourcePosition position)
    {
        if (step.Gate.CheckSource(position.ClusterId, position.Channel) is { } violation)
        {
            return violation;
        }

        var decision = step.Gate.Decide(record.Type, record.TxnId ?? 0, position);
        if (decision.Verdict != GateVerdict.Accept)
        {
            return step.IgnoreOrRefuse(decision);
        }

        // A control vchannel and every other has its place by suffix; the channel itself by position.
        var vchannel = record.VChannel is { } source ? ToHere(step.Gate.Configuration, step.Gate, position, source) : null;
        step.Add(new WalRecord
        {
            Type = record.Type,
            TimeTick = step.NextTick,
            VChannel = vchannel,
            TxnId = record.TxnId ?? 0,
            TxnBeginLsn = record.Type is WalRecordType.TxnCommit or WalRecordType.TxnRollback ? step.Gate.Transaction!.BeginLsn : 0,
            Source = position,
            Key = record.Key,
            Payload = record.Payload,
        });
        return null;
    }

    private ApiError? TakeBroadcast(ReplicateStep step, ReadMessage record, SourcePosition position)
    {
        if (!BroadcastPayload.TryDecode(record.Type, record.Payload, out var content, out var error))
        {
            return ApiError.InvalidArgument($"payload cannot be read: {error}");
        }

        // Known first: what is here already is a repeat and no violation, also for a source that this cluster has left.
        var id = record.BroadcastId!.Value;
        var vchannel = ToHere(step.Gate.Configuration, step.Gate, position, record.VChannel ?? position.Channel);
        if (vchannel is not null && (_broadcasts.Find(id, vchannel) is not null || step.Has(id, vchannel)))
        {
            step.Ignored++;
            return null;
        }

        if (step.Gate.CheckSource(position.ClusterId, position.Channel) is { } violation)
        {
            return violation;
        }

        var decision = step.Gate.Decide(record.Type, 0, position);
        if (decision.Verdict != GateVerdict.Accept)
        {
            return step.IgnoreOrRefuse(decision);
        }

        if (ToHere(step.Gate.Configuration, step.Gate, position, content.Message) is not { } message)
        {
            return ApiError.InvalidArgument("the broadcast names a vchannel of a channel that the configuration in force does not have");
        }

        step.Add(BroadcastRecord(id, vchannel!, message, position, step.NextTick));
        return null;
    }

    private ApiError? TakeConfigChange(ReplicateStep step, ReadMessage record, SourcePosition position, out ReplicateStep.Ends ends)
    {
        ends = ReplicateStep.Ends.No;
        if (!BroadcastPayload.TryDecode(record.Type, record.Payload, out var content, out var error))
        {
            return ApiError.InvalidArgument($"payload cannot be read: {error}");
        }

        // Known first: the same change again, after it has made this cluster primary, is a repeat and no violation.
        var (id, change) = (record.BroadcastId!.Value, content.Message.AlterReplicateConfig!);
        var map = ChannelMapping.Target(_gate.Configuration, position.ClusterId, ClusterId, position.Channel) is null ? change.Configuration : _gate.Configuration;
        var vchannel = ToHere(map, step.Gate, position, record.VChannel ?? position.Channel);
        if (_broadcasts.Find(id, vchannel ?? HereBySuffix(position, record.VChannel)) is not null)
        {
            step.Ignored++;
            return null;
        }

        if (step.Gate.CheckConfigSource(position.ClusterId, position.Channel, change.Configuration) is { } violation)
        {
            return violation;
        }

        if (step.Gate.Decide(record.Type, 0, position).Verdict == GateVerdict.Ignore)
        {
            step.Ignored++;
            return null;
        }

        if (step.Records.Count > 0)
        {
            ends = ReplicateStep.Ends.Before;
            return null;
        }

        // Growth names channels that only the new configuration maps; a cluster that it drops is only in the old one.
        var message = ToHere(change.Configuration, step.Gate, position, content.Message) ?? ToHere(_gate.Configuration, step.Gate, position, content.Message);
        if (vchannel is null || message is null)
        {
            return ApiError.InvalidArgument("the change names a vchannel of a channel that no configuration has");
        }

        var prepared = PrepareConfigChange(id, vchannel, message, position, step.NextTick, LastLsn + 1);
        if (change.Ignored)
        {
            step.Add(prepared.Records[0]);
            return null;
        }

        step.AddSwitch(prepared.Records[0], _gate.Switch(change, id, position));
        ends = ReplicateStep.Ends.After;
        return null;
    }

    // Of the record itself.
    // Where a change that dropped this cluster stands: no configuration in force says which channels correspond, so that the same change again would look like any stranger's.
    private string HereBySuffix(SourcePosition position, string? vchannel) => VChannels.MoveTo(vchannel ?? position.Channel, Channel);

    private static string? ToHere(ReplicateConfiguration? map, ReplicateGate gate, SourcePosition position, string vchannel) =>
        gate.ToHere(map, position.ClusterId, position.Channel, vchannel);

    private static BroadcastMessage? ToHere(ReplicateConfiguration? map, ReplicateGate gate, SourcePosition position, BroadcastMessage message)
    {
        var vchannels = message.VChannels.Select(v => ChannelMapping.TargetVChannel(map, position.ClusterId, gate.ClusterId, v)).ToArray();
        return Array.TrueForAll(vchannels, v => v is not null) ? message with { VChannels = vchannels! } : null;
    }

    /// <summary>The records taken so far, and the gate as they leave it.</summary>
    private sealed class ReplicateStep(ReplicateGate gate, long lastLsn, long firstTick)
    {
        public enum Ends
        {
            No,
            Before,
            After,
        }

        public ReplicateGate Gate { get; private set; } = gate;

        public List<WalRecord> Records { get; } = [];

        public int Ignored { get; set; }

        public bool Exclusive { get; private set; }

        public long NextTick => firstTick + Records.Count;

        public bool Has(long broadcastId, string vchannel) =>
            Records.Exists(r => r.BroadcastId == broadcastId && string.Equals(r.VChannel, vchannel, StringComparison.Ordinal));

        public void Add(WalRecord record)
        {
            Records.Add(record);
            Gate = Gate.After(lastLsn + Records.Count, record);
        }

        public void AddSwitch(WalRecord change, ReplicateGate switched)
        {
            Records.Add(change);
            Gate = switched;
            Exclusive = true;
        }

        public ApiError? IgnoreOrRefuse(GateDecision decision)
        {
            if (decision.Verdict == GateVerdict.Violation)
            {
                return ApiError.ReplicateViolation(decision.Reason!);
            }

            Ignored++;
            return null;
        }
    }
}
