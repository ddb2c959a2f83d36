using Baton.Core.Broadcasts;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Broadcasts;

public sealed class CollectedTombstonesTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    private static BroadcastTask Ended(long id, params (string VChannel, long Tick)[] acks)
    {
        var message = new BroadcastMessage("drop", [.. acks.Select(a => a.VChannel)], []);
        return BroadcastRules.Tombstone(acks.Aggregate(BroadcastRules.Create(id, message, Now), (t, a) => BroadcastRules.Ack(t, id, a.VChannel, At(a.Tick), message, Now)), Now);
    }

    private static BroadcastAck At(long tick) => new(tick, tick, tick);

    [Theory]
    [InlineData(10, "ch1_v1", 5, true)]
    [InlineData(9, "ch1", 5, true)]
    [InlineData(11, "ch1_v1", 5, false)]
    [InlineData(10, "ch1_v1", 6, false)]
    [InlineData(10, "ch3", 1, false)]
    public void An_ack_is_taken_for_one_that_is_gone_by_its_id_and_its_channels_time_tick(long id, string vchannel, long tick, bool expected) =>
        Assert.Equal(expected, CollectedTombstones.None.With([Ended(10, ("ch1_v1", 5), ("ch2", 9))]).Covers(id, vchannel, At(tick)));

    [Fact]
    public void Before_anything_is_collected_no_ack_is_taken_for_such() => Assert.False(CollectedTombstones.None.Covers(1, "ch1", At(0)) && CollectedTombstones.None.Covers(1, "ch1", At(1)));

    [Fact]
    public void Every_ack_of_what_is_gone_is_known_and_none_of_a_record_that_came_later()
    {
        var task = from id in Gen.Choose(1, 50)
                   from ticks in Gen.Choose(1, 1_000).ListOf(3)
                   select Ended(id, ("ch1_v1", ticks[0]), ("ch2_v1", ticks[1]), ("ch3", ticks[2]));
        Prop.ForAll(task.ListOf().ToArbitrary(), tasks =>
        {
            // In two parts, as two runs would.
            var collected = CollectedTombstones.None.With(tasks.Take(tasks.Count / 2)).With(tasks.Skip(tasks.Count / 2));
            return tasks.All(t => t.Acks.All(a => collected.Covers(t.BroadcastId, a.Key, a.Value)))
                && tasks.All(t => t.Acks.Keys.All(v => !collected.Covers(t.BroadcastId, v, At(1 + tasks.Max(o => o.Acks[v].TimeTick)))));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_old_and_the_surplus_go_oldest_first_and_the_young_stay()
    {
        (long, DateTimeOffset)[] ended = [(1, Now.AddMinutes(-20)), (2, Now.AddMinutes(-90)), (3, Now.AddMinutes(-30)), (4, Now.AddMinutes(-5)), (5, Now.AddMinutes(-70))];

        Assert.Equal([2, 5], Collect(maxCount: 10));
        Assert.Equal([2, 5, 3], Collect(maxCount: 2));
        Assert.Equal([2, 5, 3, 1], Collect(maxCount: 0));

        IEnumerable<long> Collect(int maxCount) => TombstoneRule.Collect(ended, TimeSpan.FromHours(1), maxCount, TimeSpan.FromMinutes(15), Now);
    }
}
