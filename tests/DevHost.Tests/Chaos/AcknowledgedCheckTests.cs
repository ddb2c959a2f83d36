using Baton.Core.Api;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;
using static Baton.DevHost.Tests.Chaos.DoctoredLogs;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The check of acknowledgements finds whatever a log lacks, has twice, or shows and must not.</summary>
public sealed class AcknowledgedCheckTests
{
    [Fact]
    public void A_log_with_what_was_acknowledged_is_good_with_and_without_what_was_only_perhaps_written()
    {
        Assert.Empty(Check(Source));
        Assert.Empty(Check([.. Source, Message(9, "m:3")]));
    }

    [Fact]
    public void An_acknowledged_message_that_is_lost_doubled_or_elsewhere_is_found()
    {
        Assert.Single(Check(Without("m:1")));
        Assert.Single(Check([.. Source, Message(9, "m:1")]));
        Assert.Single(Check([.. Without("m:1"), Message(9, "m:1")]));
    }

    [Fact]
    public void A_message_perhaps_written_must_not_be_there_twice() => Assert.Single(Check([.. Source, Message(9, "m:3"), Message(10, "m:3")]));

    [Fact]
    public void A_transaction_that_is_lost_halved_torn_apart_turned_round_or_never_was_committed_is_found()
    {
        var (first, second) = (Body(4, "t:1", 7), Body(6, "t:2", 7));
        IReadOnlyList<ReadMessage> others = [.. Source.Take(3)];
        Assert.Single(Check(others));
        Assert.Single(Check([.. others, first]));
        Assert.Single(Check([first, .. others, second]));
        Assert.Single(Check([.. others, second, first]));
        Assert.Single(Check([.. others, first, second with { CommitLsn = 8 }]));
        Assert.Single(Check([.. Source, Body(11, "t:3", 12, TxnId + 1)]));
    }

    [Fact]
    public void A_transaction_whose_commit_was_only_perhaps_written_is_there_whole_or_not_at_all()
    {
        var recorder = new Recorder();
        recorder.Add(new RecordedTransaction("a-ch0", TxnId, ["t:1", "t:2"], Written.Perhaps));

        Assert.Empty(AcknowledgedCheck.Check(recorder, "a-ch0", Source));
        Assert.Empty(AcknowledgedCheck.Check(recorder, "a-ch0", [.. Source.Take(3)]));
        Assert.Single(AcknowledgedCheck.Check(recorder, "a-ch0", [.. Source.Take(4)]));
    }

    private static IReadOnlyList<string> Check(IReadOnlyList<ReadMessage> log) => AcknowledgedCheck.Check(Recorder(), "a-ch0", log);

    private static IReadOnlyList<ReadMessage> Without(string text) => [.. Source.Where(m => !m.Payload.AsSpan().SequenceEqual(Text(text)))];
}
