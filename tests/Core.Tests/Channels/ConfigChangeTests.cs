using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.LiveChannel;
using static Baton.Core.Tests.Channels.SourceRecords;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>Changes of the configuration on one channel, from its control plane and from its source.</summary>
public sealed class ConfigChangeTests
{
    [Fact]
    public void A_promotion_completes_a_replicated_broadcast_under_its_id_where_it_is_missing_only()
    {
        var channel = Secondary();
        Send(channel, Broadcast(2, 40, ["a-0_v1", "a-1_v1"], "a-0_v1"));
        channel.Configure(100, Alone, forced: true);
        var message = new BroadcastMessage("drop", ["b-0_v1", "b-1_v1", "b-0_v2"], []);

        Assert.Equal(2, channel.Control(40, message, "b-0_v1").Answer!.Ack.Lsn);
        Assert.Equal(4, channel.Control(40, message, "b-0_v2").Answer!.Ack.Lsn);
        Assert.Equal(4, channel.Log.Count);
        Assert.Null(channel.Log[^1].Source);
    }

    [Fact]
    public void A_change_that_the_source_sends_switches_and_its_repeat_is_no_violation()
    {
        var channel = Secondary();
        Send(channel, Plain(1));

        Assert.Equal("ok", Send(channel, Alter(2, 50, Flipped, "a-0_vcontrol")));
        Assert.Equal(ClusterRole.Primary, channel.Machine.Role);
        Assert.Equal("ignored", Send(channel, Alter(2, 50, Flipped, "a-0_vcontrol")));
        Assert.Equal("ReplicateViolation", Send(channel, Plain(3)));
        var content = JsonSerializer.Deserialize<AlterReplicateConfigRecord>(channel.Log[^1].Payload.Span, BatonJson.Options)!;
        Assert.Equal("b-0_vcontrol", channel.Log[^1].VChannel);
        Assert.Equal(["b-0_vcontrol", "b-1"], content.Message.VChannels);
        Assert.Empty(content.RolledBackTxnIds);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 1, 1), content.LastReplicated);
    }

    [Fact]
    public void F5_after_a_promotion_the_old_primary_cannot_switch_a_channel_back()
    {
        var channel = Secondary();
        channel.Configure(100, Alone, forced: true);

        Assert.Equal("ReplicateViolation", Send(channel, Alter(2, 50, Pair, "a-0_vcontrol")));
        Assert.Equal("ReplicateViolation", Send(channel, Alter(900, 500, Pair, "a-0_vcontrol")));
        Assert.Equal(ApiErrorCode.Conflict, channel.Configure(50, Pair).Error?.Code);
        Assert.Equal(ClusterRole.Standalone, channel.Machine.Role);
    }

    [Fact]
    public void F6_the_new_primary_can_build_the_old_one_up_again()
    {
        var channel = Secondary();
        channel.Configure(100, Alone, forced: true);

        Assert.Null(channel.Configure(101, Flipped).Error);
        Assert.Equal(ClusterRole.Primary, channel.Machine.Role);
    }

    [Fact]
    public void An_ignored_change_is_recorded_and_changes_nothing()
    {
        var channel = Secondary();
        channel.Replicate("a", "a-0", Plain(1), Record(WalRecordType.TxnBegin, 2, 18));

        var local = channel.Configure(60, Alone, forced: true, ignored: true);
        Assert.Equal("ok", Send(channel, Alter(3, 61, Flipped, "a-0_vcontrol", ignored: true)));

        Assert.False(local.Exclusive);
        Assert.Empty(local.Answer!.RolledBackTxnIds);
        Assert.Equal(ClusterRole.Secondary, channel.Machine.Role);
        Assert.Single(channel.Machine.OpenTransactions);
        Assert.NotNull(channel.Machine.FindBroadcast(60, "b-0"));
    }

    [Fact]
    public void A_change_between_other_records_is_appended_alone_and_exclusively()
    {
        var channel = Secondary();

        var steps = channel.Replicate("a", "a-0", Plain(1), Alter(2, 50, Pair, "a-0_vcontrol"), Plain(3));

        Assert.Equal([(1, 1, false), (1, 2, true), (1, 3, false)], steps.Select(s => (s.Answer!.Appended, s.Answer.Next, s.Exclusive)));
        Assert.Equal(3, channel.Machine.Checkpoint!.TimeTick);
    }

    [Fact]
    public void A_channel_added_by_growth_takes_its_first_configuration_from_the_source_it_names()
    {
        var grown = Of([Named("a", "a-0", "a-1", "a-2"), Named("b", "b-0", "b-1", "b-2")], ("a", "b"));
        string[] vchannels = ["a-0_vcontrol", "a-1", "a-2"];
        var (old, added) = (Secondary(), new LiveChannel("b", "b-2"));

        Assert.Equal("ReplicateViolation", Send(added, Plain(1), "a", "a-2"));
        Assert.Equal("ReplicateViolation", Send(added, Alter(5, 50, grown, "a-2", vchannels), "c", "a-2"));
        Assert.Equal("ok", Send(added, Alter(5, 50, grown, "a-2", vchannels), "a", "a-2"));
        Assert.Equal("ok", Send(old, Alter(5, 50, grown, "a-0_vcontrol", vchannels)));
        Assert.Equal("ok", Send(added, Plain(6), "a", "a-2"));
        Assert.Equal(["b-0_vcontrol", "b-1", "b-2"], added.Acks[0].Message.VChannels);
    }

    [Fact]
    public void A_cluster_that_the_change_drops_stands_alone()
    {
        var channel = Secondary();

        Assert.Equal("ok", Send(channel, Alter(2, 50, Of([Named("a", "a-0", "a-1")]), "a-0_vcontrol")));

        Assert.Equal(ClusterRole.Standalone, channel.Machine.Role);
        Assert.Null(channel.Append(Messages("local")).Error);
    }

    [Fact]
    public void A_forced_promotion_rolls_back_the_replicated_transaction_and_says_how_far_the_source_had_come()
    {
        var channel = Secondary();
        channel.Replicate("a", "a-0", Plain(1), Record(WalRecordType.TxnBegin, 3, 18, lsn: 2), Record(WalRecordType.TxnBody, 3, 18, lsn: 3));

        var prepared = channel.Configure(100, Alone, forced: true);
        var again = channel.Configure(100, Alone, forced: true);

        Assert.True(prepared.Exclusive);
        Assert.Equal([18], prepared.Answer!.RolledBackTxnIds);
        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 1, 1), prepared.Answer.LastReplicated);
        Assert.Equal(new BroadcastAck(5, 5, channel.Log[^1].TimeTick), prepared.Answer.Ack);
        Assert.Empty(again.Records);
        Assert.Equal([18], again.Answer!.RolledBackTxnIds);
        Assert.Null(channel.Append(Messages("writable")).Error);
        Assert.Equal(ApiErrorCode.Conflict, channel.Commit(18).Error?.Code);
    }

    [Fact]
    public void Turning_secondary_ends_the_local_transactions_that_nobody_can_commit_any_more()
    {
        var channel = new LiveChannel("b", "b-0");
        var txn = channel.Begin().Answer!.TxnId;

        Assert.Equal([txn], channel.Configure(1, Pair).Answer!.RolledBackTxnIds);
        Assert.Equal(2, channel.Machine.LastConfirmedLsn);
    }

    [Fact]
    public void A_change_that_keeps_the_writers_keeps_their_transactions()
    {
        var channel = new LiveChannel("b", "b-0");
        var txn = channel.Begin().Answer!.TxnId;

        Assert.Empty(channel.Configure(1, Flipped).Answer!.RolledBackTxnIds);
        Assert.Null(channel.Commit(txn).Error);
    }
}
