using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Which segments may go: the rule alone, on manifests made up for it.</summary>
public sealed class WalRetentionTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly WalOptions OneHour = new() { RetainMs = 3_600_000 };

    [Fact]
    public void Old_segments_below_everything_that_is_needed_go()
    {
        var trimmed = WalRetention.Trim(Log(snapshots: [25, 40]), 100, OneHour, Now);

        Assert.Equal(21, trimmed.FirstLsn);
        Assert.Equal([21, 31, 41], trimmed.Segments.Select(s => s.FirstLsn));
    }

    [Theory]
    [InlineData(20, 21)]
    [InlineData(19, 11)]
    [InlineData(9, 1)]
    public void The_oldest_snapshot_kept_holds_what_is_not_wholly_below_it(long oldest, long first) =>
        Assert.Equal(first, WalRetention.Trim(Log(snapshots: [oldest, 45]), 100, OneHour, Now).FirstLsn);

    [Theory]
    [InlineData(21, 21)]
    [InlineData(20, 11)]
    [InlineData(1, 1)]
    [InlineData(0, 1)]
    public void What_a_consumer_needs_stays(long needed, long first) => Assert.Equal(first, WalRetention.Trim(Log(snapshots: [40]), needed, OneHour, Now).FirstLsn);

    [Fact]
    public void A_pin_holds_until_its_time_is_over_and_is_then_dropped()
    {
        var log = Log(snapshots: [40]) with { Pins = [new WalPin("a", 15, Now.AddMinutes(1)), new WalPin("b", 2, Now)] };

        var before = WalRetention.Trim(log, 100, OneHour, Now);
        var after = WalRetention.Trim(before, 100, OneHour, Now.AddMinutes(1));

        Assert.Equal((11, "a"), (before.FirstLsn, Assert.Single(before.Pins).Id));
        Assert.Equal(41, after.FirstLsn);
        Assert.Empty(after.Pins);
    }

    [Fact]
    public void Without_a_snapshot_nothing_goes()
    {
        var log = Log(snapshots: []);

        Assert.Same(log, WalRetention.Trim(log, 100, new WalOptions { RetainMs = 0, RetainBytes = 0 }, Now));
    }

    [Fact]
    public void Young_segments_stay_until_there_are_too_many_bytes()
    {
        var log = Log(snapshots: [40]);
        var young = Now.AddHours(-9);

        Assert.Same(log, WalRetention.Trim(log, 100, new WalOptions { RetainMs = 86_400_000, RetainBytes = 4_000 }, young));
        Assert.Equal(11, WalRetention.Trim(log, 100, new WalOptions { RetainMs = 86_400_000, RetainBytes = 3_999 }, young).FirstLsn);
        Assert.Equal(31, WalRetention.Trim(log, 100, new WalOptions { RetainMs = 86_400_000, RetainBytes = 1_000 }, young).FirstLsn);
    }

    [Fact]
    public void A_segment_whose_age_is_unknown_is_not_old()
    {
        var log = Log(snapshots: [40]);
        log = log with { Segments = [log.Segments[0] with { SealedAt = null }, .. log.Segments.Skip(1)] };

        Assert.Same(log, WalRetention.Trim(log, 100, OneHour, Now));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Whatever_the_log_nothing_needed_goes_all_that_may_go_does_and_a_second_trim_finds_nothing(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 5_000; round++)
        {
            var log = RandomLog(random);
            var needed = random.Next(1, 120);
            var options = new WalOptions { RetainMs = random.Next(0, 5) * 3_600_000L, RetainBytes = random.Next(0, 8_000) };

            var trimmed = WalRetention.Trim(log, needed, options, Now);

            Assert.Same(trimmed, WalRetention.Trim(trimmed, needed, options, Now));
            Assert.Equal(log.Segments.TakeLast(trimmed.Segments.Count), trimmed.Segments);
            Assert.Equal(trimmed.FirstLsn, trimmed.Segments[0].FirstLsn);
            Assert.Equal(log.Pins.Where(p => p.ExpiresAt > Now), trimmed.Pins);
            foreach (var segment in log.Segments.Except(trimmed.Segments))
            {
                Assert.True(MayGo(log, segment, needed), $"seed {seed}, round {round}: segment {segment} was needed");
            }

            // The first that stays is needed, or neither old nor too much.
            var bytes = trimmed.Segments.Sum(s => s.LengthBytes ?? 0);
            var stays = trimmed.Segments[0];
            Assert.True(!MayGo(log, stays, needed) || (Now - stays.SealedAt < TimeSpan.FromMilliseconds(options.RetainMs) && bytes <= options.RetainBytes), $"seed {seed}, round {round}: segment {stays} could go");
        }
    }

    private static bool MayGo(WalManifest log, WalSegment segment, long needed) =>
        segment.LastLsn is { } last
        && last < needed
        && log.Snapshots.Count > 0
        && log.Snapshots.All(s => last <= s.Lsn)
        && log.Pins.Where(p => p.ExpiresAt > Now).All(p => last < p.FromLsn);

    // Four sealed segments of ten records and 1,000 bytes, the last of them sealed two hours ago, and a tail.
    private static WalManifest Log(long[] snapshots) => new("ch", 1, "me", "id", [.. Enumerable.Range(0, 4).Select(n => Sealed(n, Now.AddHours(n - 5))), new WalSegment(1, 41)])
    {
        Snapshots = [.. snapshots.Select(lsn => new WalSnapshotEntry(lsn, 1, 100, lsn + 1, 0))],
    };

    private static WalSegment Sealed(int n, DateTimeOffset at) => new(1, (n * 10) + 1, (n * 10) + 10, 1_000) { SealedAt = at };

    private static WalManifest RandomLog(Random random)
    {
        var skipped = random.Next(0, 4);
        var count = random.Next(0, 8);
        var lsns = Enumerable.Range(0, random.Next(0, 3)).Select(_ => random.Next(skipped * 10, 100) + 1L).Order().Distinct();
        return new WalManifest("ch", 1, "me", "id", [.. Enumerable.Range(skipped, count).Select(n => Sealed(n, Now.AddHours(n - 10))), new WalSegment(1, ((skipped + count) * 10) + 1)])
        {
            FirstLsn = (skipped * 10) + 1,
            Snapshots = [.. lsns.Select(lsn => new WalSnapshotEntry(lsn, 1, 100, lsn + 1, 0))],
            Pins = [.. Enumerable.Range(0, random.Next(0, 3)).Select(n => new WalPin($"p{n}", random.Next(1, 100), Now.AddMinutes(random.Next(-1, 2))))],
        };
    }
}
