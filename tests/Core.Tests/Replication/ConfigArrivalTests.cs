using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

public sealed class ConfigArrivalTests
{
    private const long TakenTick = 1000;
    private static readonly string[] Channels = ["ch1", "ch2"];
    private static readonly ReplicateConfiguration Alone = Of([C2(Channels)]);
    private static readonly LeftSource Left = new("c1", TakenTick, null);
    private static readonly ReplicateConfigurationMeta Promoted = new(Alone, 7, ForceUpdated: true, DateTimeOffset.UnixEpoch, Left);
    private static readonly ReplicateConfigurationMeta Secondary = new(Base, 6, ForceUpdated: false, null);
    private static readonly ReplicateConfigurationMeta SecondaryAgain = new(Base, 8, ForceUpdated: false, null, Left);
    private static readonly ReplicateConfiguration Flipped = Of([C1(Channels), C2(Channels)], ("c2", "c1"));

    private static ConfigArrivalDecision Decide(ReplicateConfigurationMeta meta, ReplicateConfiguration config, long? sourceTick, bool ignored = false, string source = "c1") =>
        ConfigArrival.Decide(meta, "c2", new AlterReplicateConfig(config, Ignored: ignored), sourceTick is { } tick ? new ConfigOrigin(source, tick) : null);

    [Theory]
    [InlineData(999)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void F5_what_the_old_primary_still_sends_is_refused_with_the_reason(long sourceTick)
    {
        var decision = Decide(Promoted, Base, sourceTick);

        Assert.Equal(ConfigArrivalOutcome.Refuse, decision.Outcome);
        Assert.Contains("no secondary any more", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void F6_an_update_that_the_new_primary_makes_itself_is_accepted() =>
        Assert.Equal(ConfigArrivalOutcome.Accept, Decide(Promoted, Flipped, sourceTick: null).Outcome);

    [Fact]
    public void A_secondary_takes_what_its_source_sends() =>
        Assert.Equal(ConfigArrivalOutcome.Accept, Decide(Secondary, Flipped, 10).Outcome);

    [Fact]
    public void A_secondary_that_was_promoted_once_refuses_what_its_source_made_before_that()
    {
        Assert.Equal(ConfigArrivalOutcome.Refuse, Decide(SecondaryAgain, Flipped, TakenTick).Outcome);
        Assert.Equal(ConfigArrivalOutcome.Accept, Decide(SecondaryAgain, Flipped, TakenTick + 1).Outcome);
    }

    [Fact]
    public void The_ticks_of_a_source_that_was_not_left_are_not_compared()
    {
        var ofAnother = SecondaryAgain with { Configuration = Of([C2(Channels), Named("c3", Channels)], ("c3", "c2")) };

        Assert.Equal(ConfigArrivalOutcome.Accept, Decide(ofAnother, Flipped, 1, source: "c3").Outcome);
    }

    [Fact]
    public void A_cluster_that_was_never_configured_takes_its_first_configuration_from_the_source_that_it_names()
    {
        Assert.Equal(ConfigArrivalOutcome.Accept, Decide(ReplicateConfigurationMeta.Empty, Base, 10).Outcome);
        Assert.Equal(ConfigArrivalOutcome.Refuse, Decide(ReplicateConfigurationMeta.Empty, Base, 10, source: "c3").Outcome);
        Assert.Equal(ConfigArrivalOutcome.Refuse, Decide(ReplicateConfigurationMeta.Empty, Flipped, 10).Outcome);
    }

    [Fact]
    public void A_callback_that_runs_again_after_its_write_finds_it_done() =>
        Assert.Equal(ConfigArrivalOutcome.AlreadyInForce, Decide(new ReplicateConfigurationMeta(Flipped, 7, ForceUpdated: false, null), Flipped, 10).Outcome);

    [Fact]
    public void An_ignored_change_is_refused_wherever_it_comes_from()
    {
        Assert.Equal(ConfigArrivalOutcome.Refuse, Decide(Secondary, Flipped, 10, ignored: true).Outcome);
        Assert.Equal(ConfigArrivalOutcome.Refuse, Decide(Promoted, Flipped, null, ignored: true).Outcome);
    }
}
