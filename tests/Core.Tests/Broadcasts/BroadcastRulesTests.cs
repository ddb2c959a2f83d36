using Baton.Core.Api;
using Baton.Core.Broadcasts;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Broadcasts;

public sealed class BroadcastRulesTests
{
    private const long Promotion = 100;
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly string[] VChannels = ["cc", "v1", "v2"];

    private static BroadcastMessage Drop => new("drop", VChannels, []);

    private static BroadcastMessage Alter => new(BroadcastMessage.AlterReplicateConfigKind, VChannels, ResourceLocks.ExclusiveCluster, AlterReplicateConfig: new AlterReplicateConfig(Base));

    private static BroadcastAck At(long tick) => new(tick, tick, tick);

    private static BroadcastTask Task(long id, BroadcastMessage message, params string[] acked) =>
        acked.Aggregate(BroadcastRules.Create(id, message, Now), (task, v) => BroadcastRules.Ack(task, id, v, At(5), message, Now));

    [Fact]
    public void B47_nothing_incomplete_appends_nothing()
    {
        Assert.Empty(BroadcastRules.Supplement([], Promotion));
        Assert.Empty(BroadcastRules.Supplement([Task(10, Drop, VChannels)], Promotion));
    }

    [Fact]
    public void B48_what_one_vchannel_acked_is_resent_to_the_others_under_its_id()
    {
        var step = Assert.Single(BroadcastRules.Supplement([Task(10, Drop, "cc")], Promotion));

        Assert.Equal(10, step.Task.BroadcastId);
        Assert.Equal(["v1", "v2"], step.PendingVChannels);
        Assert.False(step.MarkIgnored);
        var done = Task(10, Drop, VChannels);
        Assert.True(BroadcastRules.AllAcked(done));
        Assert.Equal(BroadcastState.Tombstone, BroadcastRules.Tombstone(done, Now).State);
    }

    [Fact]
    public void B50_what_could_not_be_appended_stays_to_be_resent()
    {
        var task = BroadcastRules.Ack(Task(10, Drop, "cc"), 10, "v2", At(7), Drop, Now);

        Assert.Equal(["v1"], Assert.Single(BroadcastRules.Supplement([task], Promotion)).PendingVChannels);
    }

    [Fact]
    public void B51_what_nobody_acked_is_resent_to_all() =>
        Assert.Equal(VChannels, Assert.Single(BroadcastRules.Supplement([Task(10, Drop)], Promotion)).PendingVChannels);

    [Fact]
    public void B53_what_is_done_is_excluded_and_so_is_the_promotion_itself()
    {
        var tombstone = BroadcastRules.Tombstone(Task(11, Drop), Now);

        Assert.Empty(BroadcastRules.Supplement([Task(10, Drop, VChannels), tombstone, tombstone with { State = BroadcastState.Done }, Task(Promotion, Alter)], Promotion));
    }

    [Fact]
    public void B54_pending_vchannels_are_those_without_an_ack()
    {
        Assert.Equal(3, Task(10, Drop).PendingVChannels.Count);
        Assert.Single(Task(10, Drop, "cc", "v1").PendingVChannels);
        Assert.Empty(Task(10, Drop, VChannels).PendingVChannels);
    }

    [Fact]
    public void B54_an_ack_without_a_time_tick_is_none()
    {
        var task = Task(10, Drop);

        Assert.Same(task, BroadcastRules.Ack(task, 10, "cc", At(0), Drop, Now));
        Assert.Equal(3, (task with { Acks = new Dictionary<string, BroadcastAck>(StringComparer.Ordinal) { ["cc"] = At(0) } }).PendingVChannels.Count);
    }

    [Fact]
    public void B58_a_repeated_ack_changes_nothing()
    {
        var once = Task(10, Drop, "cc");

        Assert.Same(once, BroadcastRules.Ack(once, 10, "cc", At(99), Drop, Now.AddDays(1)));
        var tombstone = BroadcastRules.Tombstone(once, Now);
        Assert.Same(tombstone, BroadcastRules.Ack(tombstone, 10, "v1", At(9), Drop, Now));
        Assert.Same(tombstone, BroadcastRules.Tombstone(tombstone, Now.AddDays(1)));
    }

    [Fact]
    public void An_ack_of_a_vchannel_that_the_message_does_not_name_changes_nothing()
    {
        var task = Task(10, Drop);

        Assert.Same(task, BroadcastRules.Ack(task, 10, "v9", At(9), Drop, Now));
    }

    [Fact]
    public void An_ack_of_an_unknown_id_makes_a_replicated_task()
    {
        var task = BroadcastRules.Ack(null, 10, "v1", At(9), Drop, Now);

        Assert.Equal(BroadcastState.Replicated, task.State);
        Assert.Equal(["cc", "v2"], task.PendingVChannels);
        Assert.Equal(Now, task.CreatedAt);
    }

    [Fact]
    public void Incomplete_broadcasts_are_completed_in_the_order_of_their_ids_and_stale_configurations_are_ignored()
    {
        var steps = BroadcastRules.Supplement([Task(30, Drop), Task(10, Alter, "cc"), Task(20, Drop, "cc")], Promotion);

        Assert.Equal([10, 20, 30], steps.Select(s => s.Task.BroadcastId));
        Assert.Equal([true, false, false], steps.Select(s => s.MarkIgnored));
        var marked = BroadcastRules.MarkIgnored(steps[0].Task);
        Assert.True(marked.Message.AlterReplicateConfig!.Ignored);
        Assert.Equal(["v1", "v2"], marked.PendingVChannels);
        Assert.False(Assert.Single(BroadcastRules.Supplement([marked], Promotion)).MarkIgnored);
    }

    [Theory]
    [InlineData("drop", "ch1_v1,ch2", null)]
    [InlineData("", "ch1", "kind must be")]
    [InlineData("two words", "ch1", "kind must be")]
    [InlineData("alterReplicateConfig", "ch1", "kind alterReplicateConfig and a configuration")]
    [InlineData("drop", "", "vchannels cannot be empty")]
    [InlineData("drop", "ch1_v1,ch1_v1", "vchannel ch1_v1 is listed twice")]
    [InlineData("drop", "ch3_v1", "vchannel ch3_v1 is on channel ch3, which this cluster does not have")]
    [InlineData("drop", "Ch1", "vchannel Ch1 must be")]
    public void A_message_is_checked_before_it_is_broadcast(string kind, string vchannels, string? error)
    {
        var result = BroadcastRules.Check(new BroadcastMessage(kind, vchannels.Split(',', StringSplitOptions.RemoveEmptyEntries), []), ["ch1", "ch2"]);

        Assert.Equal(error is null, result is null);
        Assert.StartsWith(error ?? "", result?.Detail ?? "", StringComparison.Ordinal);
        Assert.True(result is null or { Code: ApiErrorCode.InvalidArgument });
    }
}
