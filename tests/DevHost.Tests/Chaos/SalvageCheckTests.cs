using Baton.Core.Api;
using Baton.DevHost.Chaos.Checks;
using static Baton.DevHost.Tests.Chaos.DoctoredLogs;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>The check of a salvage list finds records too many, too few, and ranges that hold what the other cluster has.</summary>
public sealed class SalvageCheckTests
{
    // b has the first message only: it lacks the second, the transaction and the broadcast, at LSNs 4, 5, 6 and 8.
    private static readonly ReplicatedChannel Lost = Pair(Target.Take(2));

    [Fact]
    public void Lacking_are_the_visible_records_that_were_not_taken_over_and_no_broadcast_that_came_by_other_means()
    {
        Assert.Equal([4L, 5, 6, 8], SalvageCheck.Lacking(Lost));
        Assert.Equal([4L, 5, 6], SalvageCheck.Lacking(Pair([.. Target.Take(2), Broadcast(51, "b-ch0_v1", "b-ch0_v1")])));
        Assert.Empty(SalvageCheck.Lacking(Pair(Target)));
    }

    [Fact]
    public void A_list_of_exactly_those_is_good_in_one_range_or_several()
    {
        Assert.Empty(SalvageCheck.Check(Lost, new SalvageList(8, 4, [new(4, 8, 4)])));
        Assert.Empty(SalvageCheck.Check(Lost, new SalvageList(8, 4, [new(4, 6, 3), new(8, 8, 1)])));
        Assert.Empty(SalvageCheck.Check(Pair(Target), new SalvageList(8, 0, [])));
    }

    [Fact]
    public void A_list_that_is_missing_too_short_too_long_or_miscounted_is_found()
    {
        Assert.NotEmpty(SalvageCheck.Check(Lost, null));
        Assert.NotEmpty(SalvageCheck.Check(Lost, new SalvageList(8, 0, [])));
        Assert.NotEmpty(SalvageCheck.Check(Lost, new SalvageList(8, 3, [new(4, 6, 3)])));
        Assert.NotEmpty(SalvageCheck.Check(Lost, new SalvageList(8, 4, [new(4, 6, 4)])));
        Assert.NotEmpty(SalvageCheck.Check(Lost, new SalvageList(8, 5, [new(2, 8, 5)])));
        Assert.NotEmpty(SalvageCheck.Check(Lost, new SalvageList(8, 4, [new(2, 8, 4)])));
        Assert.NotEmpty(SalvageCheck.Check(Pair(Target), new SalvageList(8, 1, [new(8, 8, 1)])));
    }
}
