using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Replication;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Metadata;

public sealed class CatalogueDifferenceTests
{
    private const int Nodes = 9;

    /// <summary>Any state of nodes, channels, leaders and copies, after any catalogue that an earlier such state has left: one look makes it so, and the next finds nothing.</summary>
    [Fact]
    public void What_the_clusters_state_says_is_accepted_whole_and_then_there_is_no_difference() => Prop.ForAll(
        Arb.From(Gen.Choose(0, int.MaxValue)),
        seed =>
        {
            var random = new Random(seed);
            var catalogue = Catalogue.Of(new CreateTopic("a", 3, 2), new CreateTopic("b", 2, 7));
            var incarnations = new long[Nodes];
            var terms = new long[5];
            for (var look = 0; look < 6; look++)
            {
                var topology = Topology(random, catalogue, incarnations, terms);
                catalogue = AssignNew(catalogue, topology);
                var (commands, _) = CatalogueDifference.Between(catalogue, topology);

                Assert.Null(MetadataRules.CheckAll(catalogue, commands));
                catalogue = catalogue.With(commands);
                Assert.Empty(CatalogueDifference.Between(catalogue, topology).Commands);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Channels_whose_topics_are_gone_are_given_up_and_those_of_topics_not_heard_of_yet_are_not()
    {
        var catalogue = Catalogue.Of(new CreateTopic("a"), new CreateTopic("b"), new DeleteTopic("a"));
        var topology = new TopologyView("c", 1, ClusterRole.Standalone, [], [Channel("a-0", 1), Channel("b-0", 2), Channel("later-0", 99), Channel("plain", null)]);

        Assert.Equal([new ChannelOfTopic("a-0", 1)], CatalogueDifference.Between(catalogue, topology).Retired);
    }

    private static ChannelView Channel(string name, long? topicId) => new(name, "n1", 1, [], ChannelAvailability.Online, topicId);

    // As the leader of the metadata does when the control plane has placed a topic's channels.
    private static MetadataState AssignNew(MetadataState catalogue, TopologyView topology) => catalogue.With(
        catalogue.Unassigned.SelectMany(t => t.Unassigned.Select(p => CatalogueDifference.Assign(t, p, topology.Channels.Single(c => c.Name == t.ChannelOf(p))))).ToList());

    private static TopologyView Topology(Random random, MetadataState catalogue, long[] incarnations, long[] terms)
    {
        var nodes = Enumerable.Range(0, Nodes).Where(_ => random.Next(8) > 0).Select(n => new NodeView(
            $"n{n}", new Uri($"http://n{n}:{80 + random.Next(2)}"), incarnations[n] += random.Next(2) + (incarnations[n] == 0 ? 1 : 0), random.Next(4) == 0, random.Next(2) == 0 ? null : "z", 1 + random.Next(2), null, random.Next(5) == 0)).ToList();
        string[] ids = [.. Enumerable.Range(0, Nodes).Select(n => $"n{n}")];
        var at = 0;
        var channels = new List<ChannelView>();
        foreach (var (topic, partition) in catalogue.Topics.Values.SelectMany(t => Enumerable.Range(0, t.PartitionCount).Select(p => (t, p))))
        {
            random.Shuffle(ids);

            // A leader comes with a term of its own; only going offline keeps the term.
            var offline = random.Next(4) == 0;
            terms[at] += offline ? 0 : 1;
            channels.Add(new ChannelView(
                topic.ChannelOf(partition),
                offline ? null : ids[0],
                terms[at++],
                [.. ids.Skip(1).Take(random.Next(Nodes)).Select(n => new ReplicaView(n, ReplicaMode.Sync, random.Next(2) == 0 ? ReplicaProgress.InSync : ReplicaProgress.CatchingUp, 1, Leaving: random.Next(4) == 0 ? true : null))],
                offline ? ChannelAvailability.Offline : ChannelAvailability.Online,
                topic.TopicId));
        }

        return new TopologyView("c", 1, ClusterRole.Standalone, nodes, channels);
    }
}
