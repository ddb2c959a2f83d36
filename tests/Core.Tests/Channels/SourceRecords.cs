using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Wal;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>What a source sends. Cluster b with channels b-0 and b-1 is the secondary of a with a-0 and a-1.</summary>
internal static class SourceRecords
{
    public static readonly ReplicateConfiguration Pair = Of([Named("a", "a-0", "a-1"), Named("b", "b-0", "b-1")], ("a", "b"));
    public static readonly ReplicateConfiguration Flipped = Of([Named("a", "a-0", "a-1"), Named("b", "b-0", "b-1")], ("b", "a"));
    public static readonly ReplicateConfiguration Alone = Of([Named("b", "b-0", "b-1")]);

    public static LiveChannel Secondary(string channel = "b-0")
    {
        var live = new LiveChannel("b", channel);
        Assert.Null(live.Configure(1, Pair).Error);
        return live;
    }

    public static ReadMessage Record(WalRecordType type, long tick, long txn = 0, long lsn = 0, string? vchannel = null) =>
        new(lsn == 0 ? tick : lsn, tick, type, vchannel, null, [1], txn == 0 ? null : txn);

    public static ReadMessage Plain(long tick) => Record(WalRecordType.Message, tick);

    public static ReadMessage Broadcast(long tick, long id, string[] vchannels, string vchannel) => Record(WalRecordType.Broadcast, tick) with
    {
        BroadcastId = id,
        VChannel = vchannel,
        Payload = BroadcastPayload.Encode(new BroadcastMessage("drop", vchannels, [])),
    };

    public static ReadMessage Alter(long tick, long id, ReplicateConfiguration config, string vchannel, string[]? vchannels = null, bool forced = false, bool ignored = false)
    {
        var message = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, vchannels ?? ["a-0_vcontrol", "a-1"], [], AlterReplicateConfig: new AlterReplicateConfig(config, forced, ignored));
        return Record(WalRecordType.AlterReplicateConfig, tick) with { BroadcastId = id, VChannel = vchannel, Payload = BroadcastPayload.Encode(new AlterReplicateConfigRecord(message, [99], null)) };
    }

    /// <summary>One record alone: appended, ignored or the error's code.</summary>
    public static string Send(LiveChannel channel, ReadMessage record, string cluster = "a", string source = "a-0") =>
        channel.Replicate(cluster, source, record)[^1] is { Answer: { } answer } ? (answer.Appended == 1 ? "ok" : "ignored") : channel.Replicate(cluster, source, record)[^1].Error!.Code.ToString();
}
