using Baton.Core.Api;
using Baton.Core.Cdc;

namespace Baton.Core.Tests.Cdc;

/// <summary>Where the records are that a promoted cluster lacks.</summary>
public sealed class SalvageRangesTests
{
    [Fact]
    public void Behind_the_departure_all_is_one_stretch() => Assert.Equal([new SalvageRange(11, 30, 3)], Ranges(10, 11, 20, 30).List(30).Ranges);

    [Fact]
    public void A_record_that_the_target_has_ends_a_stretch()
    {
        var ranges = Ranges(10, 11, 14);
        ranges.Exclude(15);
        ranges.Add(16);
        ranges.Add(18);

        // Bodies of a transaction that is committed at 20.
        ranges.Add(12);
        ranges.Add(17);

        Assert.Equal([new SalvageRange(11, 14, 3), new SalvageRange(16, 18, 3)], ranges.List(20).Ranges);
        Assert.Equal(6, ranges.List(20).Count);
    }

    [Fact]
    public void Before_the_departure_only_neighbours_are_one_stretch() =>
        Assert.Equal([new SalvageRange(3, 4, 2), new SalvageRange(6, 6, 1), new SalvageRange(12, 15, 2)], Ranges(10, 15, 3, 4, 6, 12).List(15).Ranges);

    [Fact]
    public void A_stretch_that_touches_the_departure_goes_on_behind_it() => Assert.Equal([new SalvageRange(9, 15, 3)], Ranges(10, 15, 9, 10).List(15).Ranges);

    [Fact]
    public void Beyond_the_bound_the_last_stretch_is_drawn_out_and_counts_stay_exact()
    {
        var ranges = new SalvageRanges(1_000, maxRanges: 3);
        foreach (var lsn in (long[])[10, 20, 30, 40, 50, 25, 45])
        {
            ranges.Add(lsn);
        }

        var list = ranges.List(2_000);
        Assert.Equal([10L, 20L, 25L], list.Ranges.Select(r => r.FirstLsn));
        Assert.Equal(50, list.Ranges[^1].LastLsn);
        Assert.Equal(7, list.Count);
        Assert.Equal(7, list.Ranges.Sum(r => r.Count));
    }

    [Fact]
    public void Any_order_gives_the_stretches_that_a_look_at_every_lsn_gives()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            const long departure = 20;
            var had = Enumerable.Range(21, 40).Where(_ => random.Next(6) == 0).Select(l => (long)l).ToArray();
            var lacks = Enumerable.Range(1, 60).Where(_ => random.Next(3) == 0).Select(l => (long)l).Except(had).ToArray();
            var ranges = new SalvageRanges(departure);
            foreach (var lsn in had)
            {
                ranges.Exclude(lsn);
            }

            foreach (var lsn in lacks.OrderBy(_ => random.Next()))
            {
                ranges.Add(lsn);
            }

            Assert.Equal(Naive(lacks, lsn => lsn > departure ? !had.Contains(lsn) : lacks.Contains(lsn)), ranges.List(60).Ranges);
        }
    }

    private static List<SalvageRange> Naive(long[] lacks, Func<long, bool> may)
    {
        var ranges = new List<SalvageRange>();
        foreach (var lsn in lacks)
        {
            var joins = ranges.Count > 0 && Enumerable.Range((int)ranges[^1].LastLsn, (int)(lsn - ranges[^1].LastLsn)).All(l => may(l));
            if (joins)
            {
                ranges[^1] = ranges[^1] with { LastLsn = lsn, Count = ranges[^1].Count + 1 };
            }
            else
            {
                ranges.Add(new SalvageRange(lsn, lsn, 1));
            }
        }

        return ranges;
    }

    private static SalvageRanges Ranges(long departure, params long[] lacks)
    {
        var ranges = new SalvageRanges(departure);
        foreach (var lsn in lacks)
        {
            ranges.Add(lsn);
        }

        return ranges;
    }
}
