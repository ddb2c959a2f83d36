using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>What a reader remembers is bounded, and losing it only costs a longer read.</summary>
public sealed class WalIndexTests
{
    private static readonly WalSegment Segment = new(1, 1);

    [Fact]
    public void A_segment_of_which_nothing_is_known_is_read_from_its_start() =>
        Assert.Equal(new WalSegmentPlace(1, 0), new WalSegmentIndex().Find("a", Segment, 50));

    [Fact]
    public void The_end_is_always_known_and_what_stands_before_it_sparsely()
    {
        var index = new WalSegmentIndex();
        for (var lsn = 1; lsn <= 1_000; lsn++)
        {
            index.Note("a", Place(lsn));
            Assert.Equal(Place(lsn), index.Find("a", Segment, long.MaxValue));
        }

        // A thousand batches of 10,000 bytes each: never more than two spacings of 128 KiB away.
        for (var lsn = 1; lsn <= 1_000; lsn++)
        {
            var found = index.Find("a", Segment, lsn);
            Assert.True(found.Lsn <= lsn && Place(lsn).Offset - found.Offset <= 2 * 128 * 1024, $"LSN {lsn} was found from {found}");
        }

        Assert.InRange(Enumerable.Range(1, 1_000).Select(lsn => index.Find("a", Segment, lsn)).Distinct().Count(), 75, 155);
    }

    [Fact]
    public void Places_before_the_known_ones_are_learned_too()
    {
        var index = new WalSegmentIndex();
        index.Note("a", Place(1_000));
        for (var lsn = 1; lsn <= 500; lsn++)
        {
            index.Note("a", Place(lsn));
        }

        Assert.InRange(index.Find("a", Segment, 490).Lsn, 450, 490);
        Assert.Equal(Place(1_000), index.Find("a", Segment, 1_000));
    }

    [Fact]
    public void Whatever_the_order_a_place_that_is_found_was_noted_and_is_not_behind_what_is_wanted()
    {
        const int seed = 20_417;
        var random = new Random(seed);
        var index = new WalSegmentIndex();
        var noted = new HashSet<WalSegmentPlace> { new(1, 0) };
        for (var i = 0; i < 20_000; i++)
        {
            var place = Place(random.Next(1, 5_000));
            noted.Add(place);
            index.Note("a", place);
            var wanted = random.Next(1, 5_100);
            var found = index.Find("a", Segment, wanted);
            Assert.True(noted.Contains(found) && found.Lsn <= wanted, $"seed {seed}, step {i}: {found} for {wanted}");
        }
    }

    [Fact]
    public void The_segments_known_are_bounded_and_the_longest_unused_is_forgotten()
    {
        var index = new WalSegmentIndex(maxSegments: 3);
        foreach (var blob in new[] { "a", "b", "c" })
        {
            index.Note(blob, Place(5));
        }

        index.Find("a", Segment, 5);
        index.Note("d", Place(5));

        Assert.Equal(3, index.Segments);
        Assert.Equal(Place(5), index.Find("a", Segment, 5));
        Assert.Equal(new WalSegmentPlace(1, 0), index.Find("b", Segment, 5));
    }

    [Fact]
    public void What_is_remembered_is_bounded_whatever_comes()
    {
        const int seed = 7;
        var random = new Random(seed);
        var memory = new RecentlyUsed<string>(10);
        for (var i = 0; i < 10_000; i++)
        {
            var key = $"{random.Next(30)}";
            var put = random.Next(2) == 0 ? memory.Put(key, _ => key) : null;
            Assert.True(put is null || memory.TryGet(key, out _), $"seed {seed}, step {i}: '{key}' is forgotten at once");
            Assert.True(!memory.TryGet(key, out var found) || found == key, $"seed {seed}, step {i}: '{found}' under '{key}'");
            Assert.InRange(memory.Count, 0, 10);
        }
    }

    private static WalSegmentPlace Place(long lsn) => new(lsn, lsn * 10_000);
}
