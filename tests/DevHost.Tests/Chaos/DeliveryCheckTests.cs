using Baton.DevHost.Chaos.Checks;
using static Baton.DevHost.Tests.Chaos.DoctoredLogs;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The check of a replicated channel finds nothing in a good copy, and whatever was done to a bad one.</summary>
public sealed class DeliveryCheckTests
{
    [Fact]
    public void A_copy_with_everything_in_order_is_complete_and_a_prefix()
    {
        Assert.Empty(DeliveryCheck.Complete(Pair(Target)));
        Assert.Empty(DeliveryCheck.Prefix(Pair(Target)));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(4, false)]
    [InlineData(5, true)]
    public void A_copy_that_ends_early_is_a_prefix_but_never_within_a_transaction_and_never_complete(int records, bool isPrefix)
    {
        Assert.Equal(isPrefix, DeliveryCheck.Prefix(Pair(Target.Take(records))).Count == 0);
        Assert.NotEmpty(DeliveryCheck.Complete(Pair(Target.Take(records))));
    }

    [Fact]
    public void A_record_that_is_there_twice_out_of_order_left_out_or_altered_is_found()
    {
        var target = Target.ToList();
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([.. target, target[^1] with { Lsn = 30 }])));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([target[0], target[1], target[1] with { Lsn = 30 }, .. target.Skip(2)])));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([target[0], target[2], target[1], .. target.Skip(3)])));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([target[0], .. target.Skip(2)])));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair(target.Select((m, i) => i == 2 ? m with { Payload = Text("else") } : m))));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair(target.Select((m, i) => i == 3 ? m with { TxnId = 1 } : m))));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair(target.Select(m => m.BroadcastId is null ? m : m with { VChannel = "b-ch0_v2" }))));
    }

    [Fact]
    public void A_record_that_the_source_never_showed_is_found()
    {
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([.. Target, Copied(Message(40, "rolled back"), 40)])));
        Assert.NotEmpty(DeliveryCheck.Prefix(Pair([.. Target.Take(2), Copied(Message(3, "rolled back"), 40), .. Target.Skip(2)])));
    }

    [Fact]
    public void A_broadcast_that_the_target_has_by_other_means_and_records_of_its_own_are_no_findings()
    {
        var own = Message(50, "written here after the promotion");
        var supplemented = Broadcast(51, "b-ch0_v1", "b-ch0_v1", "b-ch1_v1");

        Assert.Empty(DeliveryCheck.Prefix(Pair([.. Target.SkipLast(1), supplemented, own])));
        Assert.Empty(DeliveryCheck.Complete(Pair([.. Target.SkipLast(1), supplemented, own])));
    }

    [Fact]
    public void What_lies_before_the_beginning_of_the_shipping_is_not_looked_for()
    {
        var late = Pair(Target.Skip(2)) with { StartLsn = 3 };

        Assert.Empty(DeliveryCheck.Complete(late));
        Assert.NotEmpty(DeliveryCheck.Complete(late with { StartLsn = 2 }));
    }
}
