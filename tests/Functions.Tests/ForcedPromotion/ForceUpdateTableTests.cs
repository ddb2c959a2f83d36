using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.ForcedPromotion;

/// <summary>The table of http-api.md: each check, word for word, with nothing written.</summary>
public sealed class ForceUpdateTableTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly ReplicateCluster B = Clusters.B;

    public static TheoryData<string> Checks { get; } = [.. Rows.Keys];

    private static Dictionary<string, (Configuration? Configuration, string Detail)> Rows => new(StringComparer.Ordinal)
    {
        ["no configuration"] = (null, "configuration cannot be nil"),
        ["no clusters"] = (new Configuration([]), "force_update requires configuration with exactly one cluster (current cluster only), got 0 clusters"),
        ["two clusters"] = (Clusters.AToB, "force_update requires configuration with exactly one cluster (current cluster only), got 2 clusters"),
        ["another cluster"] = (new Configuration([Clusters.A]), "force_update requires configuration with only current cluster b, got cluster a"),
        ["an edge"] = (new Configuration([B], new ReplicateTopology([new ReplicateEdge("b", "b")])), "force_update requires configuration with no topology (standalone cluster), got 1 topology edges"),
    };

    [Theory]
    [MemberData(nameof(Checks))]
    public async Task A_force_update_that_fails_a_check_is_refused_word_for_word_and_writes_nothing(string check)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var before = await plane.MetaAsync();
        plane.Storage.Clear();

        var answer = await plane.UpdateAsync(Rows[check].Configuration, force: true);

        Assert.Equal((400, "InvalidArgument", Rows[check].Detail), (answer.Status, answer.Problem.Code, answer.Problem.Detail));
        await AssertNothingWrittenAsync(plane, before);
    }

    [Fact]
    public async Task The_general_validator_comes_last_with_its_own_detail()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var before = await plane.MetaAsync();
        plane.Storage.Clear();

        var answer = await plane.UpdateAsync(new Configuration([B with { PChannels = ["ch1", "ch3"] }]), force: true);

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
        await AssertNothingWrittenAsync(plane, before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cluster_that_is_no_secondary_refuses_whatever_the_configuration_is(bool configured)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        if (configured)
        {
            await plane.PutInForceAsync(Clusters.BToA);
        }

        var answer = await plane.UpdateAsync(configured ? Clusters.BAlone : null, force: true);

        Assert.Equal((400, "force_update can only be used on secondary clusters, current cluster is primary"), (answer.Status, answer.Problem.Detail));
    }

    [Fact]
    public async Task Switched_off_by_setting_it_is_refused_before_anything_else_and_the_normal_path_stays()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("ForceUpdate:Enabled", "false"));
        await plane.WithSourceAsync();

        var forced = await plane.UpdateAsync(null, force: true);
        var normal = await plane.UpdateAsync(Clusters.AToB);

        Assert.Equal((403, "FeatureDisabled", "force_update is disabled by configuration"), (forced.Status, forced.Problem.Code, forced.Problem.Detail));
        Assert.Equal(UpdateOutcome.Unchanged, normal.Read<UpdateReplicateConfigurationResponse>().Outcome);
    }

    [Fact]
    public async Task A_dry_run_that_passes_writes_nothing()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var before = await plane.MetaAsync();
        plane.Storage.Clear();

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true, dryRun: true);

        Assert.Equal(UpdateOutcome.Validated, answer.Read<UpdateReplicateConfigurationResponse>().Outcome);
        await AssertNothingWrittenAsync(plane, before);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(60_001)]
    public async Task A_wait_outside_its_bounds_is_refused(int waitMs)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();

        var answer = await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: waitMs);

        Assert.Equal((400, "InvalidArgument"), (answer.Status, answer.Problem.Code));
        Assert.Equal(ClusterRole.Secondary, ReplicateRoles.RoleOf((await plane.MetaAsync()).Configuration, "b"));
    }

    [Fact]
    public async Task A_body_above_its_limit_is_refused()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var answer = await plane.CallAsync<Functions.ReplicateConfiguration.ReplicateConfigurationUpdate>((f, r) => f.RunAsync(r, plane.Engine, default), new byte[(1024 * 1024) + 1]);

        Assert.Equal((413, "PayloadTooLarge"), (answer.Status, answer.Problem.Code));
    }

    private static async Task AssertNothingWrittenAsync(ControlPlane plane, ReplicateConfigurationMeta before)
    {
        Assert.All(plane.Storage.Calls, call => Assert.StartsWith("GET ", call, StringComparison.Ordinal));
        Assert.Empty(plane.Engine.InstanceIds);
        Assert.DoesNotContain(plane.Nodes.SelectMany(n => n.Calls), c => c.Verb == "control");
        Assert.Equal(before.Version, (await plane.MetaAsync()).Version);
    }
}
