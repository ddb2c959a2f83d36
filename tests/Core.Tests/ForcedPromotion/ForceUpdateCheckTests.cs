using Baton.Core.Api;
using Baton.Core.ForcedPromotion;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.ForcedPromotion;

/// <summary>Every row of the table of a force update, in its order; c2 is the secondary that is asked.</summary>
public sealed class ForceUpdateCheckTests
{
    private static readonly string[] Channels = ["ch1", "ch2"];
    private static readonly ReplicateConfiguration Alone = Of([C2(Channels)]);
    private static readonly ReplicateConfigurationMeta Secondary = new(Base, 3, ForceUpdated: false, null);
    private static readonly ReplicateConfigurationMeta Promoted = new(Alone, 4, ForceUpdated: true, DateTimeOffset.UnixEpoch);

    private static ForceUpdateDecision Check(ReplicateConfiguration? config, ReplicateConfigurationMeta? meta = null, string cluster = "c2", bool enabled = true) =>
        ForceUpdateCheck.Check(config, meta ?? Secondary, cluster, enabled);

    private static void AssertRefused(ForceUpdateDecision decision, string detail, ApiErrorCode code = ApiErrorCode.InvalidArgument) =>
        Assert.Equal(new ApiError(code, detail), Assert.IsType<ForceUpdateDecision.Refused>(decision).Error);

    [Fact]
    public void Switched_off_is_refused_before_all_else() =>
        AssertRefused(Check(null, Promoted, enabled: false), "force_update is disabled by configuration", ApiErrorCode.FeatureDisabled);

    [Fact]
    public void A_primary_is_refused() =>
        AssertRefused(Check(null, cluster: "c1"), "force_update can only be used on secondary clusters, current cluster is primary");

    [Fact]
    public void A_cluster_that_was_never_configured_is_refused() =>
        AssertRefused(Check(Alone, ReplicateConfigurationMeta.Empty), "force_update can only be used on secondary clusters, current cluster is primary");

    [Fact]
    public void No_configuration_is_refused() => AssertRefused(Check(null), "configuration cannot be nil");

    [Fact]
    public void Two_clusters_are_refused() =>
        AssertRefused(Check(Base), "force_update requires configuration with exactly one cluster (current cluster only), got 2 clusters");

    [Fact]
    public void No_clusters_are_refused() =>
        AssertRefused(Check(Of([])), "force_update requires configuration with exactly one cluster (current cluster only), got 0 clusters");

    [Fact]
    public void Another_cluster_is_refused() =>
        AssertRefused(Check(Of([C1(Channels)])), "force_update requires configuration with only current cluster c2, got cluster c1");

    [Fact]
    public void An_edge_is_refused() =>
        AssertRefused(Check(Of([C2(Channels)], ("c1", "c2"))), "force_update requires configuration with no topology (standalone cluster), got 1 topology edges");

    [Fact]
    public void The_general_validator_has_the_last_word() =>
        AssertRefused(Check(Of([C2(Channels) with { Uri = "" }])), "cluster c2: uri cannot be empty");

    [Fact]
    public void Its_channels_are_those_that_the_configuration_in_force_names() =>
        AssertRefused(Check(Of([C2("ch1", "ch2", "ch3")])), "cluster c2: pchannels [ch1, ch2, ch3] are not the cluster's own [ch1, ch2]");

    [Fact]
    public void What_passes_all_proceeds() => Assert.IsType<ForceUpdateDecision.Proceed>(Check(Alone));

    [Fact]
    public void A_retry_of_a_promotion_that_succeeded_is_unchanged_although_the_cluster_is_primary() =>
        Assert.IsType<ForceUpdateDecision.Unchanged>(Check(Alone, Promoted));

    [Fact]
    public void A_promoted_cluster_refuses_another_force_update() =>
        AssertRefused(Check(Of([C2(Channels) with { Uri = "http://other:1" }]), Promoted), "force_update can only be used on secondary clusters, current cluster is primary");

    [Fact]
    public void The_same_configuration_that_was_not_forced_is_no_retry() =>
        AssertRefused(Check(Alone, Promoted with { ForceUpdated = false }), "force_update can only be used on secondary clusters, current cluster is primary");

    [Fact]
    public void F1_two_requests_for_the_same_have_one_operation_id()
    {
        var id = PromotionOperationId.For(Alone, Secondary);

        Assert.Equal(id, PromotionOperationId.For(Of([C2(Channels) with { Token = "" }]), Secondary));
        Assert.Matches("^promote-3-[0-9a-f]{12}$", id);
        Assert.NotEqual(id, PromotionOperationId.For(Alone, Promoted), StringComparer.Ordinal);
        Assert.NotEqual(id, PromotionOperationId.For(Of([C2("ch2", "ch1")]), Secondary), StringComparer.Ordinal);
    }
}
