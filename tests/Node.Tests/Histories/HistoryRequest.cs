using System.Text;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Node.Tests.Histories;

/// <summary>A request of a history.</summary>
internal abstract record HistoryRequest
{
    /// <summary>Messages, outside any transaction or of one.</summary>
    public sealed record Append(long? TxnId, string[] Texts, ProducerStamp? Producer) : HistoryRequest
    {
        public AppendRequest Body => new([.. Texts.Select(t => new MessageBody(Encoding.UTF8.GetBytes(t), Key: $"key of {t}"))], Producer);

        public override string ToString() => $"append [{string.Join(' ', Texts)}] to {TxnId?.ToString() ?? "none"} by {Producer}";
    }

    public sealed record Begin(long KeepaliveMs) : HistoryRequest;

    public sealed record End(long TxnId, bool Commit) : HistoryRequest;

    /// <summary>A broadcast's record by order: of a change of configuration, unless <paramref name="Change"/> is null.</summary>
    public sealed record Control(long BroadcastId, AlterReplicateConfig? Change) : HistoryRequest
    {
        public ControlRequest Body(string channel)
        {
            var vchannel = VChannelOf(channel);
            return new(BroadcastId, vchannel, new BroadcastMessage(Change is null ? "drop" : BroadcastMessage.AlterReplicateConfigKind, [vchannel], [], null, Change));
        }

        public string VChannelOf(string channel) => Change is null ? $"{channel}_v1" : VChannels.Control(channel);

        public override string ToString() => $"broadcast {BroadcastId} {(Change is null ? "drop" : $"{Change.Configuration.Clusters!.Count} clusters, edges {string.Join(' ', Change.Configuration.Topology?.Edges ?? [])}, forced {Change.Forced}, ignored {Change.Ignored}")}";
    }

    /// <summary>Records of the source.</summary>
    public sealed record Replicate(ReadMessage[] Records) : HistoryRequest
    {
        public override string ToString() => $"replicate {string.Join(", ", Records.Select(r => $"{r.Lsn}@{r.TimeTick} {r.Type} {r.TxnId}"))}";
    }
}

/// <summary>Answers as text, so that those of the model and of what it is a model of can be compared whole.</summary>
internal static class AnswerText
{
    public static string Written(long firstLsn, long lastLsn, long timeTick) => $"{firstLsn}-{lastLsn} @{timeTick}";

    public static string Begun(long txnId, DateTimeOffset expiresAt) => $"txn {txnId} until {expiresAt.ToUnixTimeMilliseconds()}";

    public static string Controlled(BroadcastAck ack, bool repeat, IEnumerable<long> rolledBack, ReplicateCheckpoint? last) => $"{ack} repeat {repeat} rolled back [{string.Join(' ', rolledBack)}] at {last}";

    public static string Replicated(int appended, int ignored, ReplicateCheckpoint? checkpoint) => $"{appended} appended, {ignored} ignored, {checkpoint}";

    public static string Error(ApiErrorCode code) => code.ToString();

    /// <summary>A record as a reader sees it. Payloads of broadcasts are JSON of several parts; their answers tell them.</summary>
    public static string Shown(ReadMessage m)
    {
        var text = m.Type is WalRecordType.Broadcast or WalRecordType.AlterReplicateConfig ? "" : Encoding.UTF8.GetString(m.Payload);
        return $"{m.Lsn}@{m.TimeTick} {m.Type} {m.VChannel} [{m.Key}] txn {m.TxnId} keepalive {m.KeepaliveMs} broadcast {m.BroadcastId} visible at {m.CommitLsn} from {m.Source}: {text}";
    }

    public static string State(long lastLsn, long lastTick, ClusterRole role, ReplicateCheckpoint? checkpoint, IEnumerable<long> open, long confirmed) =>
        $"at {lastLsn}@{lastTick}, {role} {checkpoint}, open [{string.Join(' ', open)}], confirmed {confirmed}";
}

/// <summary>What a history is run against.</summary>
internal interface IHistorySubject
{
    /// <summary>Its channel.</summary>
    public string Channel { get; }

    /// <summary>The leader's wall clock, in Unix milliseconds.</summary>
    public long ClockMs { get; set; }

    /// <summary>The leader's answer.</summary>
    public Task<string> SendAsync(HistoryRequest request);

    /// <summary>The leader's state.</summary>
    public Task<(string Text, long LastLsn)> StateAsync();

    /// <summary>A page from the leader.</summary>
    public Task<ReadResponse> ReadAsync(long from, int max, Isolation isolation);

    /// <summary>A snapshot becomes due.</summary>
    public Task SnapshotAsync();

    /// <summary>The leader stops and starts again, at a higher term.</summary>
    public Task RestartAsync();

    /// <summary>Another leader opens the channel at a higher term.</summary>
    public Task TakeoverAsync();

    /// <summary>The answer of the leader before the last takeover, which does not know yet; null where there is none.</summary>
    public Task<string?> SendToOldAsync(HistoryRequest request);

    /// <summary>A page from that leader.</summary>
    public Task<ReadResponse?> ReadFromOldAsync(long from, int max, Isolation isolation);
}
