using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Replication.Configurations;

namespace Baton.Core.Tests.Replication;

public sealed class ReplicateAdmissionTests
{
    private static readonly ReplicateConfigurationMeta Pair = new(Base, 3, ForceUpdated: false, null);
    private static readonly Supersession ByTwo = new("c2", 900, DateTimeOffset.UnixEpoch, RefusesWrites: true);

    private static ApiErrorCode? Check(ReplicateConfigurationMeta meta, string cluster = "c1", Supersession? superseded = null, string vchannel = "ch1_v1") =>
        ReplicateAdmission.CheckBroadcast(meta, cluster, superseded, [vchannel])?.Code;

    [Fact]
    public void A_primary_takes_broadcasts_to_channels_that_the_configuration_names()
    {
        Assert.Null(Check(Pair));
        Assert.Equal(ApiErrorCode.ReplicateViolation, Check(Pair, vchannel: "ch3_v1"));
        Assert.Equal(ApiErrorCode.ReplicateViolation, Check(Pair, cluster: "c2"));
    }

    [Fact]
    public void Where_nobody_replicates_any_channel_takes_them()
    {
        Assert.Null(Check(ReplicateConfigurationMeta.Empty, vchannel: "ch3"));
        Assert.Null(Check(Pair with { Configuration = Of([C1("ch1", "ch2")]) }, vchannel: "ch3"));
    }

    [Fact]
    public void A_cluster_that_the_configuration_drops_replicates_with_nobody()
    {
        Assert.False(ReplicateAdmission.Replicates(Base, "c3"));
        Assert.True(ReplicateAdmission.Replicates(Base, "c2"));
        Assert.Null(Check(Pair, cluster: "c3", vchannel: "ch3"));
    }

    [Fact]
    public void A_superseded_cluster_says_by_whom_and_what_to_do_unless_its_writes_go_on()
    {
        var refused = ReplicateAdmission.CheckBroadcast(Pair, "c1", ByTwo, ["ch1"])!;

        Assert.Equal(ApiErrorCode.ReplicateViolation, refused.Code);
        Assert.Contains("Cluster c2 was promoted in place of this one: write there.", refused.Detail, StringComparison.Ordinal);
        Assert.Null(Check(Pair, superseded: ByTwo with { RefusesWrites = false }));
    }
}
