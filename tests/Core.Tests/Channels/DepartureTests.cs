using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Channels;
using Baton.Core.Replication;
using Baton.Core.Wal;
using static Baton.Core.Tests.Channels.SourceRecords;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Channels;

/// <summary>What a channel that was forced says to the source that it left.</summary>
public sealed class DepartureTests
{
    private static readonly ReplicateDeparture Left = new("b", 100, new ReplicateCheckpoint("a", "a-0", 9, 5));

    [Fact]
    public void Back_under_the_source_that_it_left_it_goes_on_where_it_left_it_so_that_nothing_comes_twice()
    {
        var channel = Forced();

        channel.Configure(101, Pair);

        Assert.Equal(Left.From, channel.Machine.Checkpoint);
        Assert.Null(channel.Machine.Departure);
        var repeated = channel.Replicate("a", "a-0", Record(WalRecordType.Message, tick: 5, lsn: 9), Record(WalRecordType.Message, tick: 6, lsn: 10));
        Assert.Equal((1, 1), (repeated[0].Answer!.Appended, repeated[0].Answer!.Ignored));
    }

    [Fact]
    public void Back_under_a_source_that_has_replicated_from_it_since_it_starts_at_zero()
    {
        var channel = Forced();
        channel.Configure(101, Flipped);
        channel.Configure(102, Alone);

        channel.Configure(103, Pair);

        Assert.Equal(new ReplicateCheckpoint("a", "a-0", 0, 0), channel.Machine.Checkpoint);
    }

    [Fact]
    public void The_former_source_hears_by_whom_and_how_far_it_had_been_taken_over_whatever_it_sends()
    {
        var channel = Forced();

        Assert.Equal(Left, channel.Machine.Departure);
        ReadMessage[][] requests = [[], [Plain(6)], [Record(WalRecordType.TxnBegin, 6, txn: 6)], [Broadcast(6, 40, ["a-0_v1"], "a-0_v1")], [Alter(6, 50, Pair, "a-0_vcontrol")]];
        foreach (var records in requests)
        {
            var error = Assert.Single(channel.Replicate("a", "a-0", records)).Error!;
            Assert.Equal((ApiErrorCode.ReplicateViolation, Left), (error.Code, error.Departure));
            Assert.Contains("cluster b was promoted in place of cluster a by broadcast 100", error.Detail, StringComparison.Ordinal);
            Assert.Equal(Left, error.ToException().Departure);
        }
    }

    [Theory]
    [InlineData("c", "a-0")]
    [InlineData("a", "a-1")]
    public void Nobody_else_hears_of_it(string cluster, string source)
    {
        var error = Assert.Single(Forced().Replicate(cluster, source)).Error!;

        Assert.Equal((ApiErrorCode.ReplicateViolation, null), (error.Code, error.Departure));
    }

    [Fact]
    public void A_channel_that_had_taken_nothing_left_its_source_at_zero()
    {
        var channel = Secondary();
        channel.Configure(100, Alone, forced: true);

        Assert.Equal(new ReplicateDeparture("b", 100, new ReplicateCheckpoint("a", "a-0", 0, 0)), channel.Machine.Departure);
    }

    [Fact]
    public void It_is_kept_through_later_changes_and_gone_when_the_channel_follows_anybody_again()
    {
        var channel = Forced();

        channel.Configure(101, Flipped);
        Assert.Equal(Left, channel.Machine.Departure);
        Assert.Equal(Left, channel.Replicate("a", "a-0")[0].Error!.Departure);
        channel.Configure(102, Alone, forced: true);
        Assert.Equal(Left, channel.Machine.Departure);
        channel.Configure(103, Flipped, ignored: true);
        Assert.Equal(Left, channel.Machine.Departure);

        channel.Configure(104, Of([Named("b", "b-0", "b-1"), Named("c", "c-0", "c-1")], ("c", "b")));
        Assert.Null(channel.Machine.Departure);
        Assert.Null(channel.Replicate("a", "a-0")[0].Error!.Departure);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void A_change_that_is_not_forced_or_that_the_source_made_itself_leaves_nobody(bool forced, bool bySource)
    {
        var channel = Secondary();
        if (bySource)
        {
            Assert.Equal("ok", Send(channel, Alter(6, 100, Alone, "a-0_vcontrol", forced: forced)));
        }
        else
        {
            channel.Configure(100, Alone);
        }

        Assert.Equal(ClusterRole.Standalone, channel.Machine.Role);
        Assert.Null(channel.Machine.Departure);
    }

    [Fact]
    public void A_force_of_a_cluster_that_follows_nobody_leaves_nobody()
    {
        var channel = new LiveChannel("b", "b-0");
        channel.Configure(100, Alone, forced: true);

        Assert.Null(channel.Machine.Departure);
    }

    [Fact]
    public void Broadcasts_that_are_here_are_ignored_after_the_departure_and_those_that_are_not_are_refused()
    {
        var channel = Secondary();
        Send(channel, Broadcast(2, 40, ["a-0_v1", "a-1_v1"], "a-0_v1"));
        Send(channel, Broadcast(3, 41, ["a-0_vcontrol"], "a-0_vcontrol"));
        channel.Configure(100, Alone, forced: true);

        // Completed here, by the promotion, under its id.
        channel.Control(42, new BroadcastMessage("drop", ["b-0_v2", "b-1_v2"], []), "b-0_v2");

        Assert.Equal("ignored", Send(channel, Broadcast(2, 40, ["a-0_v1", "a-1_v1"], "a-0_v1")));
        Assert.Equal("ignored", Send(channel, Broadcast(3, 41, ["a-0_vcontrol"], "a-0_vcontrol")));
        Assert.Equal("ignored", Send(channel, Broadcast(7, 42, ["a-0_v2", "a-1_v2"], "a-0_v2")));
        Assert.Equal("ReplicateViolation", Send(channel, Broadcast(2, 40, ["a-0_v1", "a-0_v2"], "a-0_v2")));
        Assert.Equal("ReplicateViolation", Send(channel, Broadcast(8, 43, ["a-0_v1"], "a-0_v1")));
        Assert.Equal("ReplicateViolation", Send(channel, Broadcast(2, 40, ["a-0_v1"], "a-0_v1"), cluster: "c"));
    }

    [Fact]
    public void Changes_of_configuration_that_are_here_are_ignored_after_the_departure_also_where_nothing_maps_their_names_any_more()
    {
        var channel = Secondary();
        Send(channel, Alter(2, 50, Pair, "a-0_vcontrol"));
        channel.Configure(100, Alone, forced: true);

        Assert.Equal("ignored", Send(channel, Alter(2, 50, Pair, "a-0_vcontrol")));
        Assert.Equal("ignored", Send(channel, Alter(2, 50, Of([Named("a", "a-0", "a-1")]), "a-0_vcontrol")));
        Assert.Equal("ReplicateViolation", Send(channel, Alter(3, 51, Pair, "a-0_vcontrol")));
    }

    [Fact]
    public void The_next_leader_knows_it_from_the_log_or_from_a_snapshot()
    {
        var channel = Forced();
        var restored = ChannelMachine.TryRestore("b", "b-0", channel.Machine.EncodeSnapshot(), out _)!;

        Assert.Equal(Left, channel.Replay().Departure);
        Assert.Equal(Left, restored.Departure);
        Assert.Equal(Left, channel.With(restored).Replicate("a", "a-0")[0].Error!.Departure);
        Assert.Contains(Left.ToString(), channel.Machine.Describe(), StringComparison.Ordinal);
    }

    private static LiveChannel Forced()
    {
        var channel = Secondary();
        channel.Replicate("a", "a-0", Record(WalRecordType.Message, tick: 5, lsn: 9));
        channel.Configure(100, Alone, forced: true);
        return channel;
    }
}
