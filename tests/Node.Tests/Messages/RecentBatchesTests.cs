using System.Text;
using Baton.Core.Wal;
using Baton.Node.Messages;

namespace Baton.Node.Tests.Messages;

/// <summary>What is kept of a log's end, and for whom.</summary>
public sealed class RecentBatchesTests
{
    private readonly RecentBytes _budget = new(1_000_000);

    [Fact]
    public void Nothing_is_wanted_or_kept_before_somebody_reads_and_after_that_what_comes()
    {
        var recent = new RecentBatches(_budget);
        Assert.False(recent.Wants(1));
        Add(recent, 1, "a");
        Assert.Null(recent.Find(1, 1, 7));

        Assert.True(recent.Wants(1));
        Add(recent, 2, "b", "c");
        Add(recent, 4, "d");

        Assert.Equal("2:b 3:c 4:d", Found(recent, 2, 4));
        Assert.Equal("3:c", Found(recent, 3, 3));
        Assert.Equal("3:c 4:d", Found(recent, 3, 4));
        Assert.All(recent.Find(2, 4, 7)!, e => Assert.Equal(7, e.Term));
        Assert.Null(recent.Find(1, 4, 7));
        Assert.Null(recent.Find(4, 5, 7));
    }

    [Fact]
    public void A_batch_that_was_not_copied_leaves_no_gap()
    {
        var recent = Read();
        Add(recent, 1, "a");
        recent.Add(2, 2, null);
        Assert.Null(recent.Find(1, 1, 7));
        Assert.Equal(0, _budget.Kept);
        Add(recent, 3, "c");
        Assert.Equal("3:c", Found(recent, 3, 3));
        Add(recent, 5, "e");
        Assert.Null(recent.Find(3, 3, 7));
        Assert.Equal("5:e", Found(recent, 5, 5));
    }

    [Fact]
    public void What_nobody_reads_is_forgotten_and_its_memory_given_back()
    {
        var recent = Read();
        for (var lsn = 1; lsn < RecentBatches.MaxUnread; lsn++)
        {
            Add(recent, lsn, "x");
        }

        Assert.True(_budget.Kept > 0);
        Add(recent, RecentBatches.MaxUnread, "x");

        Assert.False(recent.Wants(1));
        Assert.Equal(0, _budget.Kept);
    }

    [Fact]
    public void The_oldest_make_room_and_what_is_too_large_is_not_kept()
    {
        var recent = Read();
        var half = new string('x', RecentBatches.MaxBytes / 2);
        Add(recent, 1, "small");
        Add(recent, 2, half);
        Assert.Equal("1:small", Found(recent, 1, 1));
        Add(recent, 3, half);
        Assert.Null(recent.Find(2, 3, 7));
        Assert.NotNull(recent.Find(3, 3, 7));
        Assert.InRange(_budget.Kept, RecentBatches.MaxBytes / 2, RecentBatches.MaxBytes);

        Assert.True(recent.Wants(RecentBatches.MaxBytes));
        Assert.False(recent.Wants(RecentBatches.MaxBytes + 1));
        Add(recent, 4, half + half);
        Assert.Null(recent.Find(4, 4, 7));
        Assert.Equal(0, _budget.Kept);
    }

    [Fact]
    public void All_channels_together_keep_no_more_than_may_be()
    {
        var budget = new RecentBytes(200);
        var (one, other) = (Read(budget), Read(budget));
        Add(one, 1, new string('x', 100));
        Add(other, 1, new string('x', 100));
        Assert.NotNull(one.Find(1, 1, 7));
        Assert.Null(other.Find(1, 1, 7));

        Assert.False(Read(new RecentBytes(0)).Wants(1));
        one.Close();
        Assert.Equal(0, budget.Kept);
        Add(other, 2, new string('x', 100));
        Assert.NotNull(other.Find(2, 2, 7));
    }

    [Fact]
    public void A_leadership_that_has_ended_keeps_nothing_whatever_comes_late()
    {
        var recent = Read();
        Add(recent, 1, "a");
        recent.Close();
        Assert.Null(recent.Find(1, 1, 7));
        Assert.False(recent.Wants(1));
        Add(recent, 2, "b");
        Assert.Null(recent.Find(2, 2, 7));
        Assert.Equal(0, _budget.Kept);
    }

    private RecentBatches Read(RecentBytes? budget = null)
    {
        var recent = new RecentBatches(budget ?? _budget);
        Assert.Null(recent.Find(1, 1, 7));
        return recent;
    }

    private static void Add(RecentBatches recent, long firstLsn, params string[] texts) =>
        recent.Add(firstLsn, firstLsn + texts.Length - 1, WalBatchCodec.Encode(firstLsn, [.. texts.Select(t => new WalRecord { Type = WalRecordType.Message, TimeTick = 1, Payload = Encoding.UTF8.GetBytes(t) })]));

    private static string Found(RecentBatches recent, long from, long through) => string.Join(' ', recent.Find(from, through, 7)!.Select(e => $"{e.Lsn}:{Encoding.UTF8.GetString(e.Record.Payload.Span)}"));
}
