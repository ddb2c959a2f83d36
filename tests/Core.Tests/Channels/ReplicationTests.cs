using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;
using static Baton.Core.Tests.Channels.SourceRecords;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>What a channel accepts of local and replicated records.</summary>
public sealed class ReplicationTests
{
    [Fact]
    public void R72_turning_secondary_starts_at_zero_staying_so_keeps_and_turning_primary_drops_the_checkpoint()
    {
        var channel = new LiveChannel("b", "b-0");
        channel.Configure(1, Flipped);
        Assert.Equal(ClusterRole.Primary, channel.Machine.Role);
        Assert.Null(channel.Machine.Checkpoint);

        channel.Configure(2, Pair);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 0, 0), channel.Machine.Checkpoint);

        channel.Replicate("a", "a-0", Record(WalRecordType.Message, tick: 5, lsn: 9));
        channel.Configure(3, Pair);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 9, 5), channel.Machine.Checkpoint);

        channel.Configure(4, Flipped);
        Assert.Null(channel.Machine.Checkpoint);

        channel.Configure(5, Pair);
        Assert.Equal(0, channel.Machine.Checkpoint!.TimeTick);
    }

    [Theory]
    [InlineData(WalRecordType.Message, 1L << 53, 9)]
    [InlineData(WalRecordType.Message, long.MaxValue, 9)]
    [InlineData(WalRecordType.Message, 9, 1L << 53)]
    [InlineData(WalRecordType.TxnBegin, 1L << 53, 9)]
    public void A_position_that_no_source_can_have_is_refused_and_moves_nothing(WalRecordType type, long tick, long lsn)
    {
        var channel = Secondary();
        channel.Replicate("a", "a-0", Plain(5));

        Assert.Equal("InvalidArgument", Send(channel, Record(type, tick, txn: 7, lsn: lsn)));

        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 5, 5), channel.Machine.Checkpoint);
        Assert.Equal("ok", Send(channel, Record(WalRecordType.Message, tick: (1L << 53) - 1, lsn: 6)));
    }

    [Fact]
    public void R72_another_source_starts_at_zero()
    {
        var channel = Secondary();
        channel.Replicate("a", "a-0", Plain(5), Record(WalRecordType.TxnBegin, 6, txn: 6));

        var third = Of([Named("a", "a-0", "a-1"), Named("b", "b-0", "b-1"), Named("c", "c-0", "c-1")], ("c", "a"), ("c", "b"));
        var result = channel.Configure(2, third).Answer!;

        Assert.Equal(new ReplicateCheckpoint("c", "c-0", 0, 0), channel.Machine.Checkpoint);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 5, 5), result.LastReplicated);
        Assert.Equal([6], result.RolledBackTxnIds);
        Assert.Equal("ReplicateViolation", Send(channel, Plain(9)));
        Assert.Equal("ok", Send(channel, Plain(1), "c", "c-0"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void R73_a_primary_takes_local_records_and_no_replicated_ones(bool configured)
    {
        var channel = new LiveChannel("b", "b-0");
        if (configured)
        {
            channel.Configure(1, Flipped);
        }

        Assert.Null(channel.Append(Messages("local")).Error);
        Assert.Null(channel.Begin().Error);
        Assert.Null(channel.Control(9, new BroadcastMessage("drop", ["b-0"], [])).Error);
        Assert.Equal("ReplicateViolation", Send(channel, Plain(1)));
        Assert.Equal("ReplicateViolation", Send(channel, Record(WalRecordType.TxnCommit, 1, txn: 1)));
        Assert.Equal(ApiErrorCode.ReplicateViolation, channel.Replicate("a", "a-0")[0].Error?.Code);
    }

    [Fact]
    public void R74_a_secondary_takes_only_what_its_source_sends()
    {
        var channel = Secondary();

        Assert.Equal(ApiErrorCode.ReplicateViolation, channel.Append(Messages("local")).Error?.Code);
        Assert.Equal(ApiErrorCode.ReplicateViolation, channel.Begin().Error?.Code);
        Assert.Equal(ApiErrorCode.ReplicateViolation, channel.Commit(1).Error?.Code);
        Assert.Equal(ApiErrorCode.ReplicateViolation, channel.Control(9, new BroadcastMessage("drop", ["b-0"], [])).Error?.Code);
        Assert.Equal("ReplicateViolation", Send(channel, Plain(1), cluster: "c"));
        Assert.Equal("ReplicateViolation", Send(channel, Plain(1), source: "a-1"));
        Assert.Equal("ok", Send(channel, Plain(1)));
        Assert.Equal("ignored", Send(channel, Plain(1)));
    }

    [Theory]
    [InlineData("the ticks of the source", 2, 3, 4)]
    [InlineData("all the tick of the commit", 4, 4, 4)]
    public void R74_a_transaction_and_its_repeat(string ticks, long begin, long body, long commit)
    {
        Assert.NotEmpty(ticks);
        var channel = Secondary();
        Send(channel, Plain(1));
        var records = new[]
        {
            Record(WalRecordType.TxnBegin, begin, 18, lsn: 2),
            Record(WalRecordType.TxnBody, body, 18, lsn: 3),
            Record(WalRecordType.TxnCommit, commit, 18, lsn: 4),
        };

        Assert.Equal("ok,ignored,ok,ignored,ok,ignored", string.Join(',', records.SelectMany(r => new[] { Send(channel, r), Send(channel, r) })));
        Assert.Equal("ignored,ignored,ignored", string.Join(',', records.Select(r => Send(channel, r))));
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 4, commit), channel.Machine.Checkpoint);
        Assert.Equal(3, channel.Log[^1].TxnBeginLsn);
        Assert.Empty(channel.Machine.OpenTransactions);
    }

    [Fact]
    public void R74_a_whole_transaction_in_one_request_names_its_begin_here()
    {
        var channel = Secondary();

        var step = Assert.Single(channel.Replicate("a", "a-0",
            Plain(1), Record(WalRecordType.TxnBegin, 4, 18, lsn: 2), Record(WalRecordType.TxnBody, 4, 18, lsn: 3), Record(WalRecordType.TxnBody, 4, 18, lsn: 5), Record(WalRecordType.TxnCommit, 4, 18, lsn: 6), Plain(7)));

        Assert.Equal((6, 0), (step.Answer!.Appended, step.Answer.Ignored));
        Assert.Equal(3, channel.Log[5].TxnBeginLsn);
        Assert.Equal(7, channel.Machine.Checkpoint!.TimeTick);
    }

    [Fact]
    public void R74_one_replicated_transaction_at_a_time()
    {
        var channel = Secondary();
        Send(channel, Plain(1));
        Send(channel, Record(WalRecordType.TxnBegin, 2, 18));

        Assert.Equal("ReplicateViolation", Send(channel, Record(WalRecordType.TxnBegin, 3, 19)));
        Assert.Equal("ReplicateViolation", Send(channel, Plain(3)));
        Assert.Equal("ReplicateViolation", Send(channel, Record(WalRecordType.TxnBody, 3, 19)));
        Assert.Equal("ReplicateViolation", Send(channel, Record(WalRecordType.TxnCommit, 3, 19)));
        Assert.Equal("ignored", Send(channel, Plain(1)));
        Assert.Equal("ok", Send(channel, Record(WalRecordType.TxnRollback, 3, 18)));
        Assert.Equal("ok", Send(channel, Plain(4)));
        Assert.Equal("ignored", Send(channel, Record(WalRecordType.TxnCommit, 5, 20)));
    }

    [Fact]
    public void A_message_whose_begin_never_came_is_refused_and_not_lost_silently()
    {
        var channel = Secondary();

        Assert.Equal("ReplicateViolation", Send(channel, Record(WalRecordType.TxnBody, 3, 18)));
    }

    [Fact]
    public void A_violation_appends_nothing_of_its_step()
    {
        var channel = Secondary();

        var step = Assert.Single(channel.Replicate("a", "a-0", Plain(1), Record(WalRecordType.TxnBegin, 2, 18), Plain(3)));

        Assert.Equal(ApiErrorCode.ReplicateViolation, step.Error?.Code);
        Assert.StartsWith("records[2] (LSN 3 of the source): ", step.Error!.Detail, StringComparison.Ordinal);
        Assert.Single(channel.Log);
    }

    [Fact]
    public void Time_ticks_alone_are_ignored() => Assert.Equal("ignored", Send(Secondary(), Record(WalRecordType.TimeTick, 3)));

    [Fact]
    public void Names_are_put_into_this_clusters()
    {
        var channel = Secondary("b-1");

        channel.Replicate("a", "a-1", Record(WalRecordType.Message, 1, vchannel: "a-1_v7"), Broadcast(2, 40, ["a-0_vcontrol", "a-1_v7"], "a-1_v7"), Plain(3));

        Assert.Equal("b-1_v7,b-1_v7,", string.Join(',', channel.Log.Skip(1).Select(r => r.VChannel)));
        Assert.Equal(new SourcePosition("a", "a-1", 1, 1), channel.Log[1].Source);
        var ack = channel.Acks[^1];
        Assert.Equal("b-1_v7", ack.VChannel);
        Assert.Equal(["b-0_vcontrol", "b-1_v7"], ack.Message.VChannels);
        Assert.Equal(3, ack.Ack.Lsn);
        Assert.Equal(new SourcePosition("a", "a-1", 2, 2), ack.Source);
    }

    [Fact]
    public void A_replicated_broadcast_is_told_by_its_id_and_vchannel()
    {
        var channel = Secondary();
        var record = Broadcast(2, 40, ["a-0_v1", "a-0_v2"], "a-0_v1");

        Assert.Equal("ok", Send(channel, record));
        Assert.Equal("ignored", Send(channel, record with { TimeTick = 9, Lsn = 9 }));
        Assert.Equal("ok", Send(channel, record with { TimeTick = 10, Lsn = 10, VChannel = "a-0_v2" }));
    }

    [Fact]
    public void What_cannot_be_read_is_refused_with_its_place()
    {
        var channel = Secondary();

        Assert.Equal("InvalidArgument", Send(channel, Plain(0)));
        Assert.Equal("InvalidArgument", Send(channel, Record(WalRecordType.TxnBegin, 1)));
        Assert.Equal("InvalidArgument", Send(channel, Record(WalRecordType.Message, 1, vchannel: "b-0_v1")));
        Assert.Equal("InvalidArgument", Send(channel, Record(WalRecordType.Broadcast, 1) with { BroadcastId = 4 }));
        Assert.Equal("InvalidArgument", Send(channel, Record(WalRecordType.AlterReplicateConfig, 1) with { BroadcastId = 4, Payload = "{}"u8.ToArray() }));
        Assert.Equal("InvalidArgument", Send(channel, Broadcast(1, 0, ["a-0"], "a-0")));
        Assert.Equal("InvalidArgument", Send(channel, Broadcast(1, 4, ["a-0", "a-9"], "a-0")));
        Assert.Single(channel.Log);
    }
}
