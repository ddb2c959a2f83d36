using Baton.DevHost.Chaos.Rounds;

namespace Baton.DevHost.Tests.Chaos;

/// <summary>What is drawn for a round.</summary>
public sealed class RoundPlanTests
{
    [Fact]
    public void The_same_seed_and_number_draw_the_same_round_and_others_another()
    {
        Assert.Equal(RoundPlan.Draw(17, 3), RoundPlan.Draw(17, 3));
        Assert.Equal(100, Enumerable.Range(1, 100).Select(n => RoundPlan.Draw(17, n).Seed).Distinct().Count());
        Assert.NotEqual(RoundPlan.Draw(17, 3).Seed, RoundPlan.Draw(18, 3).Seed);
    }

    [Fact]
    public void Each_step_of_a_promotion_each_node_and_both_fates_of_the_primary_are_drawn_in_the_long_run()
    {
        var plans = Enumerable.Range(1, 500).Select(n => RoundPlan.Draw(1, n)).ToList();

        Assert.Equal(
            ["AppendForcedConfig", "FenceIn", "PersistForcedConfig", "PlanSupplement", "ReportPromotion"],
            plans.Select(p => p.ControlPlaneDiesAt?.Function).OfType<string>().Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(2, plans.Select(p => p.PrimaryLives).Distinct().Count());
        Assert.Equal([0, 1, 2], plans.Select(p => p.NodeDuringPromotion).OfType<int>().Distinct().Order());
        Assert.Equal([1, 2], plans.Select(p => p.Generations).Distinct().Order());
        Assert.Contains(plans, p => p is { ControlPlaneDiesAt: null, NodeDuringPromotion: null });
        Assert.All(plans, p => Assert.NotEmpty(p.Describe()));
    }
}
