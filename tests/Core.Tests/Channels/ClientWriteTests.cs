using Baton.Core.Api;
using Baton.Core.Replication;
using static Baton.Core.Tests.Channels.SourceRecords;

namespace Baton.Core.Tests.Channels;

/// <summary>When clients' writes would be on no other cluster, although the channel itself could take them.</summary>
public sealed class ClientWriteTests
{
    private static readonly ReplicateStanding Superseded = new(3, Replicates: true, new Supersession("b", 100, DateTimeOffset.UnixEpoch, RefusesWrites: true));

    [Fact]
    public void A_superseded_cluster_refuses_them_and_says_by_whom_and_what_to_do()
    {
        var channel = new LiveChannel("a", "a-0");
        channel.Configure(1, Pair);

        var error = channel.Machine.CheckClient(Superseded)!;

        Assert.Equal(ApiErrorCode.ReplicateViolation, error.Code);
        Assert.Equal(
            "cluster b was promoted in place of cluster a by broadcast 100: records written here would be on no other cluster. "
            + "An operator attaches this cluster to b, or keeps it, by PUT /api/replicate-configuration",
            error.Detail);
        Assert.Equal(error, new LiveChannel("a", "a-0").Machine.CheckClient(Superseded));
    }

    [Fact]
    public void A_channel_that_no_configuration_names_refuses_them_while_clusters_replicate()
    {
        var channel = new LiveChannel("a", "a-0");

        var error = channel.Machine.CheckClient(new ReplicateStanding(3, Replicates: true))!;

        Assert.Equal(ApiErrorCode.ReplicateViolation, error.Code);
        Assert.StartsWith("no configuration names channel a-0 yet", error.Detail, StringComparison.Ordinal);
        channel.Configure(1, Pair);
        Assert.Null(channel.Machine.CheckClient(new ReplicateStanding(3, Replicates: true)));
    }

    [Fact]
    public void Otherwise_they_may_come()
    {
        var channel = new LiveChannel("a", "a-0");
        ReplicateStanding?[] standings = [null, new(0, Replicates: false), new(3, Replicates: false, Superseded.Superseded! with { RefusesWrites = false })];

        Assert.All(standings, s => Assert.Null(channel.Machine.CheckClient(s)));
    }

    [Fact]
    public void A_secondary_gives_its_own_reason() => Assert.Null(Secondary().Machine.CheckClient(Superseded));
}
