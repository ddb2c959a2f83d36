using Baton.Core.Cdc;
using Baton.Core.Wal;

namespace Baton.Core.Tests.Cdc;

/// <summary>What is needed of a log by who has got no further than an LSN.</summary>
public sealed class CommitSpansTests
{
    [Fact]
    public void Behind_a_position_everything_is_needed_and_transactions_committed_there_from_their_begin()
    {
        var spans = new CommitSpans(10);
        Commit(spans, 20, 12);
        Commit(spans, 30, 25);

        Assert.Equal(11, spans.NeededBehind(10));
        Assert.Equal(12, spans.NeededBehind(19));
        Assert.Equal(21, spans.NeededBehind(20));
        Assert.Equal(25, spans.NeededBehind(29));
        Assert.Equal(31, spans.NeededBehind(30));
    }

    [Fact]
    public void Of_a_position_before_what_it_was_told_of_it_cannot_say() => Assert.Null(new CommitSpans(10).NeededBehind(9));

    [Fact]
    public void It_never_says_less_than_is_needed_and_exactly_that_while_it_has_room()
    {
        var random = new Random(7);
        foreach (var commits in new[] { 200, 5_000 })
        {
            var (spans, all, at) = (new CommitSpans(100), new List<(long Lsn, long Begin)>(), 100L);
            for (var i = 0; i < commits; i++)
            {
                // Mostly short, so that begins rise with commits and none makes another superfluous.
                at += 3;
                all.Add((at, random.Next(10) == 0 ? random.NextInt64(90, at) : at - 2));
                Commit(spans, at, all[^1].Begin);
                Assert.True(spans.Kept <= CommitSpans.MaxKept);
            }

            for (var lsn = 100L; lsn <= at; lsn += 7)
            {
                var needed = all.Where(c => c.Lsn > lsn).Select(c => c.Begin).Append(lsn + 1).Min();
                Assert.True(spans.NeededBehind(lsn) <= needed);
                Assert.True(commits > CommitSpans.MaxKept || spans.NeededBehind(lsn) == needed);
            }
        }
    }

    [Fact]
    public void Of_too_many_the_oldest_are_taken_as_one()
    {
        var spans = new CommitSpans(0);
        for (var i = 1L; i <= CommitSpans.MaxKept + 2; i++)
        {
            Commit(spans, i * 10, (i * 10) - 5);
        }

        Assert.Equal(CommitSpans.MaxKept, spans.Kept);
        Assert.Equal(5, spans.NeededBehind(25));
        Assert.Equal(35, spans.NeededBehind(35));
    }

    private static void Commit(CommitSpans spans, long lsn, long begin) => spans.Take(lsn, new WalRecord { Type = WalRecordType.TxnCommit, TimeTick = lsn, TxnId = begin, TxnBeginLsn = begin });
}
