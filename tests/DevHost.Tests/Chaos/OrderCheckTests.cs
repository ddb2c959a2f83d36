using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;
using static Baton.DevHost.Tests.Chaos.DoctoredLogs;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The check of each writer's order finds what stands before what was sent before it.</summary>
public sealed class OrderCheckTests
{
    [Fact]
    public void Messages_in_the_order_of_sending_are_good_whatever_other_writers_wrote_between() =>
        Assert.Empty(OrderCheck.Check(Sent(), "a-ch0", [Message(1, "w:1"), Message(2, "v:1"), Message(3, "w:2"), Message(4, "nobody's"), Message(5, "w:10")]));

    [Fact]
    public void A_message_behind_one_that_was_sent_after_it_is_found()
    {
        Assert.Single(OrderCheck.Check(Sent(), "a-ch0", [Message(1, "w:2"), Message(2, "v:1"), Message(3, "w:1")]));
        Assert.Single(OrderCheck.Check(Sent(), "a-ch0", [Message(1, "w:1"), Message(2, "w:10"), Message(3, "w:2")]));
    }

    [Fact]
    public void A_message_that_is_there_twice_is_out_of_order_too() =>
        Assert.Single(OrderCheck.Check(Sent(), "a-ch0", [Message(1, "w:1"), Message(2, "w:1")]));

    private static Recorder Sent()
    {
        var recorder = new Recorder();
        foreach (var text in new[] { "w:1", "v:1", "w:2", "w:10" })
        {
            recorder.Add(new RecordedMessage("a-ch0", text, Written.Surely, 1));
        }

        return recorder;
    }
}
