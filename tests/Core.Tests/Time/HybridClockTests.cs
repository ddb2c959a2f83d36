using Baton.Core.Broadcasts;
using Baton.Core.Time;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Time;

public sealed class HybridClockTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000);

    [Fact]
    public void A_tick_is_milliseconds_times_1024_or_one_more_than_the_last()
    {
        var first = HybridClock.Next(0, Now);

        Assert.Equal(1_800_000_000_000 * 1024, first);
        Assert.Equal(first + 1, HybridClock.Next(first, Now));
        Assert.Equal(first + 1, HybridClock.Next(first, Now.AddSeconds(-5)));
        Assert.Equal(Now, TimeTicks.ToInstant(first + 5));
        Assert.True(first < 1L << 53);
    }

    [Fact]
    public void Ticks_rise_whatever_the_clock_does() => Prop.ForAll(Gen.Choose(-10_000_000, 10_000_000).ListOf().ToArbitrary(), steps =>
    {
        var (now, last) = (Now, 0L);
        foreach (var step in steps)
        {
            now = now.AddMilliseconds(step);
            var tick = HybridClock.Next(last, now);
            Assert.True(tick > last && tick >= TimeTicks.FromInstant(now));
            last = tick;
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void Ticks_fit_a_json_number_until_the_year_2248() =>
        Assert.InRange(HybridClock.Next(0, new DateTimeOffset(2248, 1, 1, 0, 0, 0, TimeSpan.Zero)), 1L << 52, (1L << 53) - 1);

    [Fact]
    public void Broadcast_ids_ascend_with_the_clock_and_without_it()
    {
        var first = BroadcastIds.Next(0, Now);

        Assert.Equal(first + 1, BroadcastIds.Next(first, Now));
        Assert.True(BroadcastIds.Next(first, Now.AddMilliseconds(1)) > first + 1);
    }
}
