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

/// <summary>
/// Any series of requests, right and wrong, on one channel whose cluster turns primary, secondary and promoted on the way. Every
/// bound is low, so that forgetting takes part. <see cref="LiveChannel"/> checks each answer against what was then applied.
/// </summary>
public sealed class ReplayProperties
{
    private static readonly ReplicateConfiguration[] Configs =
    [
        Of([Named("a", "a-0"), Named("b", "b-0")], ("a", "b")),
        Of([Named("a", "a-0"), Named("b", "b-0")], ("b", "a")),
        Of([Named("a", "a-0"), Named("b", "b-0"), Named("c", "c-0")], ("c", "a"), ("c", "b")),
        Of([Named("b", "b-0")]),
    ];

    private static readonly ChannelLimits Low = new(new TransactionLimits(DefaultKeepaliveMs: 5, MaxOpen: 3, EndedKept: 3), Producers: 2, SequencesPerProducer: 2, Broadcasts: 3);

    /// <summary>One request: what, and three small numbers that say which.</summary>
    private static readonly Gen<(int What, int X, int Y, int Z)> Request =
        from what in Gen.Choose(0, 9)
        from x in Gen.Choose(0, 4)
        from y in Gen.Choose(0, 9)
        from z in Gen.Choose(0, 7)
        select (what, x, y, z);

    private static readonly Gen<IEnumerable<(int, int, int, int)>> Series =
        from length in Gen.Choose(0, 80)
        from requests in Request.ListOf(length)
        select (IEnumerable<(int, int, int, int)>)requests;

    [Fact]
    public void A_machine_replayed_from_the_log_equals_the_live_one() => Check(channel => channel.Replay().Describe() == channel.Machine.Describe());

    [Fact]
    public void Two_machines_that_stand_at_the_same_place_prepare_the_same() => Check(channel =>
    {
        var (live, replayed, later) = (channel.Machine, channel.Replay(), LiveChannel.Start.AddDays(1));
        return Text(live.PrepareAppend(LiveChannel.Messages("m"), later)) == Text(replayed.PrepareAppend(LiveChannel.Messages("m"), later))
            && Text(live.PrepareBegin(new BeginTransactionRequest(), later)) == Text(replayed.PrepareBegin(new BeginTransactionRequest(), later));
    });

    [Fact]
    public void No_transaction_is_open_from_before_a_forced_configuration() => Check(channel =>
        channel.Log.FindLastIndex(IsForced) is var at && channel.Machine.OpenTransactions.All(t => t.BeginLsn > at + 1));

    [Fact]
    public void Every_commit_in_the_log_names_a_begin_of_the_same_transaction_that_nothing_ended_before() => Check(channel =>
        channel.Log.Index().Where(r => r.Item.Type == WalRecordType.TxnCommit).All(commit =>
        {
            var begin = (int)commit.Item.TxnBeginLsn - 1;
            var between = channel.Log.Skip(begin + 1).Take(commit.Index - begin - 1);
            return channel.Log[begin] is { Type: WalRecordType.TxnBegin } b && b.TxnId == commit.Item.TxnId
                && !between.Any(r => IsForced(r) || (r.TxnId == b.TxnId && r.Type is not WalRecordType.TxnBody));
        }));

    [Fact]
    public void A_records_source_is_what_the_role_at_its_place_allows() => Check(channel =>
    {
        var machine = new ChannelMachine("b", "b-0", Low);
        foreach (var (i, record) in channel.Log.Index())
        {
            if (record.Type != WalRecordType.AlterReplicateConfig && (machine.Role == ClusterRole.Secondary) != (record.Source is not null))
            {
                return false;
            }

            if (record.Source is { } source && machine.Role == ClusterRole.Secondary && source.ClusterId != machine.Checkpoint?.ClusterId)
            {
                return false;
            }

            machine.Apply(i + 1, record);
        }

        return true;
    });

    [Fact]
    public void A_checkpoint_never_goes_back_while_the_source_stays() => Check(channel =>
    {
        var machine = new ChannelMachine("b", "b-0", Low);
        foreach (var (i, record) in channel.Log.Index())
        {
            var before = machine.Checkpoint;
            machine.Apply(i + 1, record);
            if (before is not null && machine.Checkpoint is { } after && after.ClusterId == before.ClusterId && after.TimeTick < before.TimeTick)
            {
                return false;
            }
        }

        return true;
    });

    private static void Check(Func<LiveChannel, bool> property) => Prop.ForAll(Series.ToArbitrary(), requests =>
    {
        var channel = new LiveChannel("b", "b-0", Low);
        foreach (var request in requests)
        {
            Run(channel, request);
        }

        return property(channel);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static void Run(LiveChannel channel, (int What, int X, int Y, int Z) r)
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

    private static bool IsForced(WalRecord record) =>
        record.Type == WalRecordType.AlterReplicateConfig
        && BroadcastPayload.TryDecode(record.Type, record.Payload.Span, out var content, out _)
        && content.Message.AlterReplicateConfig is { Forced: true, Ignored: false };

    private static string Text<T>(Prepared<T> prepared)
        where T : class => $"{prepared.Error} {prepared.Answer} {string.Join(';', prepared.Records.Select(r => (r.Type, r.TimeTick, r.TxnId)))} {prepared.DurableLsn}";
}
