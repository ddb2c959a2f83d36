using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Transactions;
using Baton.Core.Wal;
using FsCheck;
using FsCheck.Fluent;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>Requests drawn at random, right and wrong, to channel b-0 of cluster b, which turns primary, secondary and promoted on the way.</summary>
internal static class RandomRequests
{
    private static readonly ReplicateConfiguration[] Configs =
    [
        Of([Named("a", "a-0"), Named("b", "b-0")], ("a", "b")),
        Of([Named("a", "a-0"), Named("b", "b-0")], ("b", "a")),
        Of([Named("a", "a-0"), Named("b", "b-0"), Named("c", "c-0")], ("c", "a"), ("c", "b")),
        Of([Named("b", "b-0")]),
    ];

    /// <summary>Bounds so low that forgetting takes part.</summary>
    public static readonly ChannelLimits Low = new(new TransactionLimits(DefaultKeepaliveMs: 5, MaxOpen: 3, EndedKept: 3), Producers: 2, SequencesPerProducer: 2, Broadcasts: 3);

    /// <summary>One request: what, and three small numbers that say which.</summary>
    private static readonly Gen<(int What, int X, int Y, int Z)> Request =
        from what in Gen.Choose(0, 9)
        from x in Gen.Choose(0, 4)
        from y in Gen.Choose(0, 9)
        from z in Gen.Choose(0, 7)
        select (what, x, y, z);

    /// <summary>Any number of requests.</summary>
    public static readonly Gen<IEnumerable<(int, int, int, int)>> Series =
        from length in Gen.Choose(0, 80)
        from requests in Request.ListOf(length)
        select (IEnumerable<(int, int, int, int)>)requests;

    /// <summary>The channel that they go to.</summary>
    public static LiveChannel NewChannel() => new("b", "b-0", Low);

    /// <summary>Makes one of them.</summary>
    public static void Run(LiveChannel channel, (int What, int X, int Y, int Z) r)
    {
        channel.AtMs += r.Z - 2;
        var open = channel.Machine.OpenTransactions;
        var txn = open.Count == 0 ? r.Y : open[r.X % open.Count].TxnId;
        var producer = r.X == 0 ? null : new ProducerStamp($"p{r.X}", r.Y);
        switch (r.What)
        {
            case 0 or 1:
                channel.Append(LiveChannel.Messages([.. Enumerable.Repeat("m", r.X + 1)]) with { Producer = producer });
                break;
            case 2:
                channel.Begin(r.Y);
                break;
            case 3:
                channel.AppendTo(txn, LiveChannel.Messages("body") with { Producer = producer });
                break;
            case 4:
                channel.Commit(txn);
                break;
            case 5:
                channel.Rollback(txn);
                break;
            case 6:
                channel.Control(r.Y + 1, new BroadcastMessage("drop", ["b-0", "b-0_v1"], []), r.X == 0 ? "b-0" : "b-0_v1");
                break;
            case 7:
                channel.Configure(r.Y + 20 + channel.Log.Count, Configs[r.X % Configs.Length], forced: r.X == 3, ignored: r.Z == 0);
                break;
            default:
                Replicate(channel, r);
                break;
        }
    }

    private static void Replicate(LiveChannel channel, (int What, int X, int Y, int Z) r)
    {
        var source = r.Z == 7 ? "a" : channel.Machine.Checkpoint?.ClusterId ?? "a";
        var at = Math.Max(channel.Machine.Checkpoint?.TimeTick ?? 0, 1) + r.Z - 1;
        ReadMessage Of(WalRecordType type, int i) => new(at + i, at + i, type, null, null, [], TxnId: r.Y + 1);
        WalRecordType[] types = r.X switch
        {
            0 => [WalRecordType.Message, WalRecordType.Message],
            1 => [WalRecordType.TxnBegin],
            2 => [WalRecordType.TxnBegin, WalRecordType.TxnBody, WalRecordType.TxnBody, WalRecordType.TxnCommit, WalRecordType.Message],
            3 => [WalRecordType.TxnBody, WalRecordType.TxnCommit],
            _ => [WalRecordType.Message, WalRecordType.AlterReplicateConfig, WalRecordType.Message],
        };
        channel.Replicate(source, $"{source}-0", [.. types.Select((t, i) => t == WalRecordType.AlterReplicateConfig ? Alter(Of(t, i), r, source) : Of(t, i))]);
    }

    private static ReadMessage Alter(ReadMessage record, (int What, int X, int Y, int Z) r, string source)
    {
        var change = new AlterReplicateConfig(Configs[r.Y % Configs.Length], Ignored: r.Z == 1);
        var message = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, [$"{source}-0"], [], AlterReplicateConfig: change);
        return record with { TxnId = null, BroadcastId = record.TimeTick + 1, Payload = BroadcastPayload.Encode(new AlterReplicateConfigRecord(message, [], null)) };
    }
}
