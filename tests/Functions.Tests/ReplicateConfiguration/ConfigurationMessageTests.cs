using Baton.Core.Cluster;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Tests.Doubles;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.ReplicateConfiguration;

public sealed class ConfigurationMessageTests
{
    // ch3 was created after the update had been checked.
    private static readonly ClusterState State = new[] { "ch2", "ch1", "ch3" }.Aggregate(ClusterState.Empty("b"), (s, name) => PartitionInitializer.Initialize(s, [new WantedChannel(name, 1)], LeaderPolicy.Spread).State);

    [Fact]
    public void A_normal_change_goes_to_the_channels_that_it_names_and_its_control_copy_to_the_one_created_first() =>
        Assert.Equal(["ch2_vcontrol", "ch1"], ConfigurationMessage.Normal(State, Clusters.BToA, "b").VChannels);

    [Fact]
    public void A_change_that_drops_all_clusters_goes_to_every_channel() =>
        Assert.Equal(["ch2_vcontrol", "ch1", "ch3"], ConfigurationMessage.Normal(State, new Configuration([]), "b").VChannels);

    [Fact]
    public void A_forced_change_goes_to_every_channel() =>
        Assert.Equal(["ch2_vcontrol", "ch1", "ch3"], ConfigurationMessage.Forced(State, Clusters.BAlone).VChannels);
}
