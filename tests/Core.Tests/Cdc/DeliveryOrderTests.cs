using Baton.Core.Broadcasts;
using Baton.Core.Cdc;
using Baton.Core.Tests.Channels;
using Baton.Core.Wal;

namespace Baton.Core.Tests.Cdc;

/// <summary>The order of delivery, case by case.</summary>
public sealed class DeliveryOrderTests
{
    private static readonly DeliveryLimits Roomy = new(1_000, 1 << 20);

    [Fact]
    public void A_transaction_comes_whole_at_its_commit_with_the_commits_tick()
    {
        var source = SourceLog.Fresh();
        var txn = source.Channel.Begin(1_000).Answer!.TxnId;
        source.Channel.AppendTo(txn, LiveChannel.Messages("one"));
        source.Channel.Append(LiveChannel.Messages("plain"));
        source.Channel.AppendTo(txn, LiveChannel.Messages("two"));
        var commit = source.Channel.Commit(txn).Answer!;

        var messages = Assert.Single(source.Batches(source.ConfigLsn + 1, Roomy, 1_000)).Messages;

        Assert.Equal(
            [WalRecordType.Message, WalRecordType.TxnBegin, WalRecordType.TxnBody, WalRecordType.TxnBody, WalRecordType.TxnCommit],
            messages.Select(m => m.Type));
        Assert.All(messages.Skip(1), m => Assert.Equal(commit.TimeTick, m.TimeTick));
        Assert.Equal([5L, 3L, 4L, 6L, 7L], messages.Select(m => m.Lsn));
    }

    [Fact]
    public void A_transaction_that_began_before_the_start_is_read_back_whole()
    {
        var source = SourceLog.Fresh();
        var txn = source.Channel.Begin(1_000).Answer!.TxnId;
        source.Channel.AppendTo(txn, LiveChannel.Messages("one", "two"));
        source.Channel.Commit(txn);

        Assert.Equal([3L, 4L, 5L, 6L], Assert.Single(source.Batches(6, Roomy, 1_000)).Messages.Select(m => m.Lsn));
    }

    [Fact]
    public void A_transaction_larger_than_a_request_goes_in_several_and_is_covered_by_the_last()
    {
        var source = SourceLog.Fresh();
        var txn = source.Channel.Begin(1_000).Answer!.TxnId;
        source.Channel.AppendTo(txn, LiveChannel.Messages([.. Enumerable.Repeat("m", 7)]));
        source.Channel.Commit(txn);

        var batches = source.Batches(3, new DeliveryLimits(4, 1 << 20), 3);

        Assert.Equal([4, 4, 1], batches.Select(b => b.Messages.Count));
        Assert.Equal([10L, 10L, 11L], batches.Select(b => b.ThroughLsn));
    }

    [Fact]
    public void Ticks_and_what_was_rolled_back_are_not_sent_and_are_covered_all_the_same()
    {
        var source = SourceLog.Fresh();
        var txn = source.Channel.Begin(1_000).Answer!.TxnId;
        source.Channel.AppendTo(txn, LiveChannel.Messages("dropped"));
        source.Channel.Rollback(txn);
        source.Channel.Begin(3);
        source.Channel.AtMs += 10;
        Assert.True(source.Channel.Tick());

        var batch = Assert.Single(source.Batches(3, Roomy, 1_000));

        Assert.Empty(batch.Messages);
        Assert.Equal(source.Channel.Log.Count, batch.ThroughLsn);
    }

    [Fact]
    public void Changes_of_configuration_before_the_one_that_made_the_direction_are_history()
    {
        var source = SourceLog.Drawn([(10, 0, 2), (10, 1, 2)], []);

        var messages = Assert.Single(source.Batches(1, Roomy, 1_000)).Messages;

        Assert.Equal([1L, source.ConfigLsn], messages.Select(m => m.Lsn));
    }

    [Fact]
    public void An_ignored_configuration_without_the_direction_is_sent_and_ends_nothing()
    {
        var source = SourceLog.Fresh();
        source.Configure(SourceLog.Alone, ignored: true);
        source.Channel.Append(LiveChannel.Messages("behind"));

        var batch = Assert.Single(source.Batches(source.ConfigLsn, Roomy, 1_000));

        Assert.Equal(3, batch.Messages.Count);
        Assert.False(batch.Ends);
    }

    [Fact]
    public void Nothing_is_sent_behind_a_configuration_without_the_direction()
    {
        var source = SourceLog.Fresh();
        source.Configure(SourceLog.Alone);
        source.Channel.Append(LiveChannel.Messages("behind"));

        var batch = Assert.Single(source.Batches(source.ConfigLsn, Roomy, 1_000));

        Assert.Equal([2L, 3L], batch.Messages.Select(m => m.Lsn));
        Assert.True(batch.Ends);
        Assert.Equal(3, batch.ThroughLsn);
    }

    [Fact]
    public void A_record_larger_than_a_request_may_be_goes_alone()
    {
        var source = SourceLog.Fresh();
        source.Channel.Append(LiveChannel.Messages("small", new string('x', 4_000), "small"));

        Assert.Equal([1, 1, 1], source.Batches(3, new DeliveryLimits(10, 2_000), 1_000).Select(b => b.Messages.Count));
    }

    [Fact]
    public void Transactions_that_never_end_do_not_fill_the_memory()
    {
        var order = new DeliveryOrder(new DeliveryTerms("a", "b", 1), int.MaxValue);
        for (var lsn = 2L; lsn < 3 * DeliveryOrder.MaxOpen; lsn++)
        {
            order.Take(lsn, new WalRecord { Type = WalRecordType.TxnBegin, TimeTick = lsn, TxnId = lsn });
        }

        var forgotten = order.Take(10_000, new WalRecord { Type = WalRecordType.TxnCommit, TimeTick = 10_000, TxnId = 2, TxnBeginLsn = 2 });

        Assert.Equal(2, forgotten.ReadBack!.FromLsn);
    }

    [Fact]
    public void Messages_without_payload_do_not_fill_the_memory()
    {
        var order = new DeliveryOrder(new DeliveryTerms("a", "b", 1), 100_000);
        order.Take(2, new WalRecord { Type = WalRecordType.TxnBegin, TimeTick = 2, TxnId = 2 });
        for (var lsn = 3L; lsn < 1_000; lsn++)
        {
            order.Take(lsn, new WalRecord { Type = WalRecordType.TxnBody, TimeTick = lsn, TxnId = 2 });
        }

        Assert.NotNull(order.Take(1_000, new WalRecord { Type = WalRecordType.TxnCommit, TimeTick = 1_000, TxnId = 2, TxnBeginLsn = 2 }).ReadBack);
        Assert.Equal(0, order.KeptBytes);
    }

    [Theory]
    [InlineData(WalRecordType.TxnBody)]
    [InlineData(WalRecordType.TxnRollback)]
    [InlineData(WalRecordType.Message)]
    public void A_commit_of_what_did_not_begin_where_it_says_is_damage(WalRecordType first)
    {
        var back = new DeliveryOrder(new DeliveryTerms("a", "b", 1), 0).Take(9, new WalRecord { Type = WalRecordType.TxnCommit, TimeTick = 9, TxnId = 7, TxnBeginLsn = 5 }).ReadBack!;

        Assert.Throws<InvalidDataException>(() => back.Take(5, new WalRecord { Type = first, TimeTick = 5, TxnId = first == WalRecordType.Message ? 0 : 7 }));
    }

    [Fact]
    public void A_record_that_was_replicated_before_goes_on_without_its_earlier_source()
    {
        var record = new WalRecord { Type = WalRecordType.Message, TimeTick = 5, Source = new SourcePosition("z", "z-0", 1, 1), Key = "k", VChannel = "a-0_v1", Payload = new byte[] { 1 } };

        var shown = DeliveryOrder.Show(5, record);

        Assert.Null(shown.Source);
        Assert.Equal(("k", "a-0_v1", 5L, 5L), (shown.Key, shown.VChannel, shown.Lsn, shown.TimeTick));
    }

    [Fact]
    public void A_direction_ends_with_a_configuration_of_its_own_end_alone()
    {
        var terms = new DeliveryTerms("a", "b", 1);
        Assert.False(DeliveryOrder.EndsDirection(Alter(new AlterReplicateConfig(SourceLog.ToBAndC)), terms));
        Assert.False(DeliveryOrder.EndsDirection(Alter(new AlterReplicateConfig(SourceLog.Alone, Ignored: true)), terms));
        Assert.True(DeliveryOrder.EndsDirection(Alter(new AlterReplicateConfig(SourceLog.Alone)), terms));
        Assert.True(DeliveryOrder.EndsDirection(Alter(new AlterReplicateConfig(SourceLog.ToB)), terms with { TargetCluster = "c" }));
        Assert.Throws<InvalidDataException>(() => DeliveryOrder.EndsDirection(new WalRecord { Type = WalRecordType.AlterReplicateConfig, TimeTick = 1, Payload = new byte[] { 1 } }, terms));
    }

    private static WalRecord Alter(AlterReplicateConfig change) => new()
    {
        Type = WalRecordType.AlterReplicateConfig,
        TimeTick = 1,
        Payload = Core.Channels.BroadcastPayload.Encode(new AlterReplicateConfigRecord(
            new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, ["a-0"], [], AlterReplicateConfig: change), [], null)),
    };
}
