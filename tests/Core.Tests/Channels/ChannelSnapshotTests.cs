using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Transactions;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;
using static Baton.Core.Tests.Channels.SourceRecords;

namespace Baton.Core.Tests.Channels;

/// <summary>What a snapshot keeps, one thing at a time; any history is in <see cref="SnapshotProperties"/>.</summary>
public sealed class ChannelSnapshotTests
{
    [Fact]
    public void A_repeated_write_is_answered_and_an_open_transaction_committed()
    {
        var channel = new LiveChannel();
        var first = channel.Append(Messages("m") with { Producer = new ProducerStamp("p", 7) }).Answer!;
        var txnId = channel.Begin(60_000).Answer!.TxnId;
        channel.AppendTo(txnId, Messages("body"));

        var next = channel.With(Restored(channel.Machine));

        Assert.Equal(first, next.Append(Messages("m") with { Producer = new ProducerStamp("p", 7) }).Answer);
        Assert.Equal(3, next.Log.Count);
        Assert.Equal(2, next.Machine.OpenTransactions[0].BeginLsn);
        next.Commit(txnId);
        Assert.Equal((WalRecordType.TxnCommit, 2L), (next.Log[^1].Type, next.Log[^1].TxnBeginLsn));
    }

    [Fact]
    public void An_ended_transaction_is_told_how_it_ended()
    {
        var channel = new LiveChannel();
        var committed = channel.Begin().Answer!.TxnId;
        channel.Commit(committed);
        var expired = channel.Begin(5).Answer!.TxnId;
        channel.AtMs = 6;
        channel.Append(Messages("m"));

        var next = channel.With(Restored(channel.Machine));

        Assert.Equal(2, next.Commit(committed).Answer!.FirstLsn);
        Assert.Contains("is expired", next.Commit(expired).Error!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secondary_goes_on_inside_its_replicated_transaction_and_knows_what_it_has()
    {
        var channel = Secondary();
        Send(channel, Plain(5));
        Send(channel, Broadcast(6, 40, ["a-0_v1"], "a-0_v1"));
        Send(channel, Record(WalRecordType.TxnBegin, 7, txn: 3));
        Send(channel, Record(WalRecordType.TxnBody, 8, txn: 3));

        var next = channel.With(Restored(channel.Machine));

        Assert.Equal(ClusterRole.Secondary, next.Machine.Role);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 6, 6), next.Machine.Checkpoint);
        Assert.Equal("ignored", Send(next, Record(WalRecordType.TxnBody, 8, txn: 3)));
        Assert.Equal("ok", Send(next, Record(WalRecordType.TxnCommit, 9, txn: 3)));
        Assert.NotNull(next.Machine.FindBroadcast(40, "b-0_v1"));
    }

    [Fact]
    public void A_late_change_stays_refused_behind_a_force()
    {
        var channel = Secondary();
        channel.Configure(100, Alone, forced: true);
        Assert.Equal(ApiErrorCode.Conflict, channel.With(Restored(channel.Machine)).Configure(50, Pair).Error?.Code);
    }

    [Theory]
    [InlineData("b", "ch1", "it is of channel ch1 of cluster c1")]
    [InlineData("c1", "ch2", "it is of channel ch1 of cluster c1")]
    public void A_snapshot_of_another_channel_gives_nothing(string cluster, string channel, string says)
    {
        Assert.Null(ChannelMachine.TryRestore(cluster, channel, new LiveChannel().Machine.EncodeSnapshot(), out var problem));
        Assert.Contains(says, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_snapshot_of_another_version_gives_nothing()
    {
        var bytes = new LiveChannel().Machine.EncodeSnapshot();
        bytes[0] = 3;
        Assert.Null(ChannelMachine.TryRestore("c1", "ch1", bytes, out var problem));
        Assert.Contains("version 3 is unknown", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_snapshot_of_version_1_is_read_and_knows_of_no_departure()
    {
        var channel = Secondary();
        Send(channel, Record(WalRecordType.Message, 5, lsn: 9));
        Send(channel, Record(WalRecordType.TxnBegin, 7, txn: 3));
        var open = "01" + "030300" + Varint(channel.Log[^1].TimeTick) + "01";
        var old = Convert.FromHexString(Version1(channel, forcedBy: "00", checkpoint: "01" + Text("a") + Text("a-0") + "0905", transaction: "01" + "030307", open));

        var machine = ChannelMachine.TryRestore("b", "b-0", old, out var problem);

        Assert.Null(problem);
        Assert.Equal(channel.Machine.Describe(), machine!.Describe());
        Assert.Equal(channel.Machine.EncodeSnapshot(), machine.EncodeSnapshot());
        Assert.Equal("ok", Send(channel.With(machine), Record(WalRecordType.TxnCommit, 8, txn: 3)));
    }

    [Fact]
    public void A_snapshot_of_version_1_in_another_form_gives_nothing()
    {
        var channel = Secondary();
        var old = Version1(channel, forcedBy: "00", checkpoint: "01" + Text("a") + Text("a-0") + "0000", transaction: "00", open: "00");

        Assert.NotNull(ChannelMachine.TryRestore("b", "b-0", Convert.FromHexString(old), out _));

        // With the flag that only version 2 has, and with a number in more bytes than it needs.
        string[] wrong = [Version1(channel, "00", "01" + Text("a") + Text("a-0") + "0000", "00" + "00", "00"), Version1(channel, "8000", "01" + Text("a") + Text("a-0") + "0000", "00", "00")];
        Assert.All(wrong, w => Assert.Null(ChannelMachine.TryRestore("b", "b-0", Convert.FromHexString(w), out _)));
    }

    [Fact]
    public void A_departure_has_its_bytes_behind_the_replicated_transaction()
    {
        var channel = Secondary();
        Send(channel, Record(WalRecordType.Message, 5, lsn: 9));
        channel.Configure(100, Alone, forced: true);
        string[] gate =
        [
            Bytes(JsonSerializer.SerializeToUtf8Bytes(Alone, BatonJson.Options)),
            "64", // forced by broadcast 100
            "00", // no checkpoint
            "00", // no replicated transaction
            "01" + Text("b") + "64" + "01" + Text("a") + Text("a-0") + "0905", // left by b's broadcast 100, at LSN 9 and tick 5 of a-0 of a
        ];

        Assert.Contains(string.Concat(gate), Convert.ToHexStringLower(channel.Machine.EncodeSnapshot()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_that_is_no_text_gives_nothing()
    {
        var channel = Secondary();
        var bytes = channel.Machine.EncodeSnapshot();
        var at = bytes.AsSpan().IndexOf("http://a"u8);
        @"\ud800a/"u8.CopyTo(bytes.AsSpan(at));
        Assert.Null(ChannelMachine.TryRestore("b", "b-0", bytes, out var problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void Under_lower_limits_the_latest_are_remembered_once_the_next_comes()
    {
        var channel = new LiveChannel();
        foreach (var i in Enumerable.Range(0, 10))
        {
            channel.Append(Messages("m") with { Producer = new ProducerStamp($"p{i}", 1) });
            channel.Control(i + 1, new BroadcastMessage("drop", ["ch1"], []));
            channel.Commit(channel.Begin().Answer!.TxnId);
        }

        var low = new ChannelLimits(new TransactionLimits(EndedKept: 2), Producers: 2, Broadcasts: 2);
        var next = channel.With(ChannelMachine.TryRestore("c1", "ch1", channel.Machine.EncodeSnapshot(), out _, low)!);
        next.Append(Messages("m") with { Producer = new ProducerStamp("last", 1) });
        next.Control(11, new BroadcastMessage("drop", ["ch1"], []));
        next.Commit(next.Begin().Answer!.TxnId);

        var lines = next.Machine.Describe().Split('\n');
        Assert.Equal(["last", "p9"], lines.Where(l => l.Contains("WriteAnswer", StringComparison.Ordinal)).Select(l => l.Split(':')[0]).Order());
        Assert.Equal(2, lines.Count(l => l.StartsWith("EndedTransaction", StringComparison.Ordinal)));
        Assert.Equal(["(10, ch1)", "(11, ch1)"], lines.Where(l => l.StartsWith('(')).Select(l => l.Split(':')[0]).Order());
    }

    [Fact]
    public void Full_tables_at_the_default_limits_take_less_than_2_MB()
    {
        // 1.3 MB, written in 6 to 16 ms and read in 50 to 130 ms on two busy cores. What takes most is five writes of each of 10,000 producers.
        var bytes = Full().EncodeSnapshot();
        Assert.InRange(bytes.Length, 1_000_000, 2_000_000);
        Assert.NotNull(ChannelMachine.TryRestore("c1", "ch1", bytes, out _));
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        var channel = new LiveChannel();
        channel.Append(Messages("m") with { Producer = new ProducerStamp("p", 7) });
        var tick = channel.Log[0].TimeTick;
        string[] expected =
        [
            "02", // version
            "026331", // cluster c1
            "03636831", // channel ch1
            "01", // last LSN
            Varint(tick), // last time tick
            "0000000000", // no configuration, not forced, no checkpoint, no replicated transaction, no departure
            "0000", // no open transactions, none ended
            "01" + "0170" + "01" + "070101" + Varint(tick), // one producer, p, one write: sequence, first LSN, last LSN, time tick
            "00", // no broadcasts
        ];
        Assert.Equal(string.Concat(expected), Convert.ToHexStringLower(channel.Machine.EncodeSnapshot()));
    }

    /// <summary>What version 1 wrote of channel b-0 of b, whose first record was the broadcast with id 1 that made it secondary.</summary>
    private static string Version1(LiveChannel channel, string forcedBy, string checkpoint, string transaction, string open)
    {
        var first = channel.Log[0];
        string[] parts =
        [
            "01",
            Text("b") + Text("b-0"),
            Varint(channel.Log.Count) + Varint(channel.Log[^1].TimeTick),
            Bytes(JsonSerializer.SerializeToUtf8Bytes(Pair, BatonJson.Options)) + forcedBy + checkpoint + transaction,
            open + "00", // open transactions, none ended
            "00", // no producers
            "01" + "01" + Text("b-0") + "0101" + Varint(first.TimeTick) + "00" + "00",
        ];
        return string.Concat(parts);
    }

    private static string Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

    private static string Bytes(byte[] bytes) => Varint(bytes.Length) + Convert.ToHexStringLower(bytes);

    private static string Varint(long value)
    {
        var text = new StringBuilder();
        for (; value >= 0x80; value >>= 7)
        {
            text.Append(Convert.ToHexStringLower([(byte)(value | 0x80)]));
        }

        return text.Append(Convert.ToHexStringLower([(byte)value])).ToString();
    }

    private static ChannelMachine Restored(ChannelMachine machine) =>
        ChannelMachine.TryRestore(machine.ClusterId, machine.Channel, machine.EncodeSnapshot(), out var problem) ?? throw new InvalidOperationException(problem);

    /// <summary>A machine whose every table is full.</summary>
    private static ChannelMachine Full()
    {
        var limits = ChannelLimits.Default;
        var machine = new ChannelMachine("c1", "ch1");
        var (tick, message) = (TimeTicks.FromInstant(Start), BroadcastPayload.Encode(new BroadcastMessage("drop", ["ch1_v1"], [])));
        void Add(WalRecord record) => machine.Apply(machine.LastLsn + 1, record);
        for (var i = 0; i < limits.Producers * limits.SequencesPerProducer; i++)
        {
            Add(new WalRecord { Type = WalRecordType.Message, TimeTick = ++tick, ProducerId = $"producer-{i % limits.Producers}", ProducerSequence = 1_000_000 + i });
        }

        for (var i = 0; i < limits.Broadcasts; i++)
        {
            Add(new WalRecord { Type = WalRecordType.Broadcast, TimeTick = ++tick, BroadcastId = tick, VChannel = "ch1_v1", Payload = message });
        }

        for (var i = 0; i < limits.Transactions.EndedKept + limits.Transactions.MaxOpen; i++)
        {
            var txnId = tick;
            Add(new WalRecord { Type = WalRecordType.TxnBegin, TimeTick = ++tick, TxnId = txnId });
            if (i < limits.Transactions.EndedKept)
            {
                Add(new WalRecord { Type = WalRecordType.TxnRollback, TimeTick = ++tick, TxnId = txnId });
            }
        }

        return machine;
    }
}
