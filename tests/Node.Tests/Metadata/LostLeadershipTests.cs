using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Metadata;

/// <summary>Leaders that lose what they lead while a client's request is with them: the client hears nothing of it.</summary>
public sealed class LostLeadershipTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_topic_whose_leader_loses_the_metadata_between_its_creation_and_its_places_is_answered_once_the_next_leader_has_placed_it()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        var (former, next) = (scene.Leader, scene.Follower);
        scene.Plane.TakesTopics = false;
        var creating = CatalogueScene.WriteAsync(former, new CreateTopic("between", 2));
        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(next, "topics?local=true")).Topics!.Count == 1, "the topic is in the log");

        scene.Plane.Fail(former.Id);
        await Eventually.HoldsAsync(async () => (await CatalogueScene.StatusAsync(next)).Role == "leader", "another leads");
        Assert.False(creating.IsCompleted);
        scene.Plane.TakesTopics = true;

        var created = await creating;
        var topic = Assert.Single(created.Topics!);
        Assert.Equal(created.FirstLsn, topic.TopicId);
        Assert.All(topic.Partitions, p => Assert.NotNull(p.Leader));
        Assert.Equal(topic.TopicId, Assert.Single((await CatalogueScene.ReadAsync(next, "topics")).Topics!).TopicId);
    }

    /// <summary>The former leader's next heartbeat is far away: it learns from the log that it has been replaced.</summary>
    [Fact]
    public async Task An_append_at_a_leader_that_was_replaced_without_noticing_is_sent_on_to_the_next()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 1, ("Node:HeartbeatIntervalMs", "60000"));
        var former = scene.Leader;
        await CatalogueScene.WriteAsync(former, new CreateTopic("moved", 1, 1));
        await former.AppendAsync("moved-0", "before");
        var next = await scene.AddAsync("n2");
        await scene.KnownByAllAsync();
        Assert.Equal(former.Id, scene.Plane.State.Channels["moved-0"].Leader);

        scene.Plane.Change(s => s with
        {
            Version = s.Version + 1,
            Channels = new Dictionary<string, ChannelState>(s.Channels, StringComparer.Ordinal) { ["moved-0"] = s.Channels["moved-0"] with { Leader = next.Id, Term = 2 } },
        });
        await Eventually.HoldsAsync(async () => (await next.Client.GetStringAsync("channels/moved-0/status")).Contains("\"role\":\"leader\"", StringComparison.Ordinal), "another leads");
        await former.AppendAsync("moved-0", "after");

        Assert.Equal(["before", "after"], await next.TextsAsync("moved-0"));
    }
}
