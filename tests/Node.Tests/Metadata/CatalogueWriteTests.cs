using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Replication;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Metadata;

public sealed class CatalogueWriteTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task Any_node_takes_a_command_and_every_copy_has_what_it_did()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture);

        var created = await CatalogueScene.WriteAsync(scene.Follower, new CreateTopic("orders", 3, 2));

        var topic = Assert.Single(created.Topics!);
        Assert.Equal(scene.Leader.Id, created.NodeId);
        Assert.Equal(["orders-0", "orders-1", "orders-2"], topic.Partitions.Select(p => p.Channel));
        Assert.All(topic.Partitions, p => Assert.Equal((1, 2), (p.Term, p.Replicas.Count)));
        Assert.All(topic.Partitions, p => Assert.Contains(p.Leader, p.Replicas));
        foreach (var node in scene.Nodes)
        {
            var read = await CatalogueScene.ReadAsync(node, $"topics/orders?minLsn={created.LastLsn}");
            Assert.Equal(created.Topics!.Single().TopicId, read.Topic!.TopicId);
            var all = await CatalogueScene.ReadAsync(node, "topics");
            Assert.Equal((scene.Leader.Id, true), (all.NodeId, all.IsLeader));
            Assert.Equal(["orders"], all.Topics!.Select(t => t.Name));
        }
    }

    [Fact]
    public async Task Of_two_topics_of_one_name_that_are_created_at_once_one_is_and_the_other_is_a_conflict()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        for (var round = 0; round < 5; round++)
        {
            var answers = await Task.WhenAll(scene.Nodes.Select(n => CatalogueScene.SendAsync(n, new CreateTopic($"twice-{round}", Partitions: round + 1))));

            Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Conflict], answers.Select(a => a.StatusCode).Order());
            Array.ForEach(answers, a => a.Dispose());
        }
    }

    [Fact]
    public async Task Of_32_callers_at_once_by_command_and_by_first_append_through_all_nodes_one_creates_the_topic_and_no_append_fails()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture);
        TestNode[] nodes = [.. scene.Nodes];

        var calls = Enumerable.Range(0, 32).Select(async i =>
        {
            var node = nodes[i % nodes.Length];
            if (i % 4 == 0)
            {
                using var answer = await CatalogueScene.SendAsync(node, new CreateTopic("rush"));
                Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Conflict, $"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
                return answer.StatusCode == HttpStatusCode.OK ? 1 : 0;
            }

            await node.AppendAsync("rush-0", $"from caller {i}");
            return 0;
        });
        var created = (await Task.WhenAll(calls)).Sum();

        Assert.InRange(created, 0, 1);
        var topic = (await CatalogueScene.ReadAsync(nodes[0], "topics/rush")).Topic!;
        var partition = Assert.Single(topic.Partitions);
        Assert.Equal(1, scene.Plane.State.Channels.Count(c => c.Value.TopicId is not null));
        Assert.Equal(scene.Plane.State.Channels["rush-0"].Leader, partition.Leader);
        var texts = await scene.Node(partition.Leader!).TextsAsync("rush-0");
        Assert.Equal(24, texts.Length);
        Assert.Equal(24, texts.Distinct().Count());
    }

    [Fact]
    public async Task A_batch_is_written_whole_or_not_at_all()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 1);
        var before = (await CatalogueScene.StatusAsync(scene.Leader)).Lsn;

        var problem = await TestNode.ProblemAsync(
            CatalogueScene.SendAsync(scene.Leader, new CreateConsumerGroup("g1"), new CommitOffset("g1", "nothing", 0, 5), new CreateConsumerGroup("g2")), ApiErrorCode.NotFound);

        Assert.Contains("1", problem.Detail, StringComparison.Ordinal);
        Assert.Equal(before, (await CatalogueScene.StatusAsync(scene.Leader)).Lsn);
        var written = await CatalogueScene.WriteAsync(scene.Leader, new CreateConsumerGroup("g1"), new CreateConsumerGroup("g2"));
        Assert.Equal((before + 1, before + 2), (written.FirstLsn, written.LastLsn));
    }

    [Fact]
    public async Task A_topic_for_whose_partition_there_is_a_channel_that_is_no_topics_is_refused_and_changes_nothing()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        scene.Plane.Change(s => s with
        {
            Version = s.Version + 1,
            Channels = new Dictionary<string, ChannelState>(s.Channels, StringComparer.Ordinal) { ["taken-1"] = new(null, 0, 1, [], s.Channels.Count) },
        });
        var before = (await CatalogueScene.StatusAsync(scene.Leader)).Lsn;

        foreach (var node in scene.Nodes)
        {
            var problem = await TestNode.ProblemAsync(CatalogueScene.SendAsync(node, new CreateConsumerGroup("g"), new CreateTopic("free", 1), new CreateTopic("taken", 2)), ApiErrorCode.Conflict);
            Assert.Contains("taken-1", problem.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(before, (await CatalogueScene.StatusAsync(scene.Leader)).Lsn);
        Assert.Equal(0, scene.Plane.TopicRequests);
        await CatalogueScene.WriteAsync(scene.Follower, new CreateTopic("taken", 1));
    }

    [Fact]
    public async Task A_command_sent_again_with_its_stamp_through_another_node_is_answered_as_the_first_time_and_writes_nothing()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        var first = await TestNode.OkAsync<MetadataCommandsResponse>(CatalogueScene.SendAsync(scene.Follower, "client-1;7", scene.Follower.Client, new CreateTopic("once")));
        var lsn = (await CatalogueScene.StatusAsync(scene.Leader)).Lsn;

        var again = await TestNode.OkAsync<MetadataCommandsResponse>(CatalogueScene.SendAsync(scene.Leader, "client-1;7", scene.Leader.Client, new CreateTopic("once")));

        Assert.Equal((first.FirstLsn, first.LastLsn, first.Topics!.Single().TopicId), (again.FirstLsn, again.LastLsn, again.Topics!.Single().TopicId));
        Assert.Equal(lsn, (await CatalogueScene.StatusAsync(scene.Leader)).Lsn);
    }

    [Fact]
    public async Task What_is_wrong_is_refused_by_the_node_that_got_it_and_changes_nothing()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 1);
        var node = scene.Leader;
        var before = (await CatalogueScene.StatusAsync(node)).Lsn;

        await TestNode.ProblemAsync(node.PostRawAsync("metadata/commands", """{"commands":[]}"""), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.PostRawAsync("metadata/commands", """{"commands":[null]}"""), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.PostRawAsync("metadata/commands", """{"commands":[{"type":"Explode"}]}"""), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.PostRawAsync("metadata/commands", """{"commands":[{"type":"CreateTopic","name":"a","color":"red"}]}"""), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(CatalogueScene.SendAsync(node, new CreateTopic("Not A Name")), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(CatalogueScene.SendAsync(node, new CreateTopic("a", Partitions: 0)), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(CatalogueScene.SendAsync(node, new RemoveNode("n1")), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(CatalogueScene.SendAsync(node, null, node.Anonymous, new CreateTopic("a")), ApiErrorCode.Unauthorized);
        await TestNode.ProblemAsync(node.Client.GetAsync("metadata/topics?local=perhaps"), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.Client.GetAsync("metadata/topics?minLsn=-1"), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.Client.GetAsync("metadata/topics?max=0"), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.Client.GetAsync("metadata/topics/none"), ApiErrorCode.NotFound);
        await TestNode.ProblemAsync(node.PostAsync("channels/__metadata/messages", new AppendRequest([new MessageBody("x"u8.ToArray())])), ApiErrorCode.InvalidArgument);

        Assert.Equal(before, (await CatalogueScene.StatusAsync(node)).Lsn);
    }

    [Fact]
    public async Task A_topic_created_again_with_another_partition_count_has_new_channels_and_no_offsets_and_the_old_channels_leave_the_cluster()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        var node = scene.Follower;
        await CatalogueScene.WriteAsync(node, new CreateTopic("again", 2), new CreateConsumerGroup("readers"), new CommitOffset("readers", "again", 1, 9));
        await scene.Leader.AppendAsync("again-0", "of the first life");

        await CatalogueScene.WriteAsync(node, new DeleteTopic("again"));
        var second = await CatalogueScene.WriteAsync(node, new CreateTopic("again", 3));

        Assert.Equal(["again-0-g2", "again-1-g2", "again-2-g2"], second.Topics!.Single().Partitions.Select(p => p.Channel));
        Assert.Empty((await CatalogueScene.ReadAsync(node, "groups/readers")).Group!.Offsets!);
        await Eventually.HoldsAsync(() => !scene.Plane.State.Channels.ContainsKey("again-0") && !scene.Plane.State.Channels.ContainsKey("again-1"), "the old channels are gone");
        Assert.True(scene.Plane.State.Channels.ContainsKey("again-2-g2"));
        await scene.Leader.AppendAsync("again-0-g2", "of the second life");
        var leader = scene.Node(scene.Plane.State.Channels["again-0-g2"].Leader!);
        Assert.Equal(["of the second life"], await leader.TextsAsync("again-0-g2"));
    }

    [Fact]
    public async Task While_the_control_plane_is_away_a_topic_is_created_and_gets_its_leaders_when_it_is_back()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 1, ("Metadata:ForwardTimeoutMs", "300"));
        scene.Plane.TakesTopics = false;

        var problem = await TestNode.ProblemAsync(CatalogueScene.SendAsync(scene.Leader, new CreateTopic("early", 2)), ApiErrorCode.Unavailable);

        Assert.Contains("topic early is created", problem.Detail, StringComparison.Ordinal);
        Assert.All((await CatalogueScene.ReadAsync(scene.Leader, "topics/early")).Topic!.Partitions, p => Assert.Null(p.Leader));
        scene.Plane.TakesTopics = true;
        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(scene.Leader, "topics/early")).Topic!.Partitions.All(p => p.Leader == "n1"), "its partitions have a leader");
    }

    [Fact]
    public async Task Topics_created_at_once_get_their_leaders_by_a_few_calls_together()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        var before = scene.Plane.TopicRequests;

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => CatalogueScene.WriteAsync(scene.Nodes.ElementAt(i % 2), new CreateTopic($"many-{i}"))));

        Assert.All(answers, a => Assert.NotNull(a.Topics!.Single().Partitions.Single().Leader));
        Assert.InRange(scene.Plane.TopicRequests - before, 1, 40);
    }

    [Theory]
    [InlineData("plain", "there is no channel plain")]
    [InlineData("far-7", "there is no channel far-7")]
    public async Task An_append_that_can_be_no_partitions_first_creates_nothing(string channel, string detail)
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 1);

        using var answer = await scene.Leader.PostAsync($"channels/{channel}/messages", new AppendRequest([new MessageBody("x"u8.ToArray())]));

        Assert.True(answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MisdirectedRequest, $"{(int)answer.StatusCode}, {detail}");
        Assert.Empty((await CatalogueScene.ReadAsync(scene.Leader, "topics")).Topics!);
    }

    [Fact]
    public async Task No_append_creates_a_topic_that_was_deleted_or_while_clusters_replicate_or_where_that_is_switched_off()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 1);
        var node = scene.Leader;
        await CatalogueScene.WriteAsync(node, new CreateTopic("gone"));
        await CatalogueScene.WriteAsync(node, new DeleteTopic("gone"));
        await Eventually.HoldsAsync(() => !scene.Plane.State.Channels.ContainsKey("gone-0"), "its channel is gone");
        await Eventually.HoldsAsync(async () => (await node.StatusAsync("gone-0")).Role == "none", "its leader has let go of it");

        var deleted = await TestNode.ProblemAsync(AppendAsync(node, "gone-0"), ApiErrorCode.NotFound);
        Assert.Contains("was deleted", deleted.Detail, StringComparison.Ordinal);

        scene.Plane.Replicates = true;
        await Eventually.HoldsAsync(() => node.Services.GetRequiredService<HeardStanding>().Now is { Replicates: true }, "the node has heard that clusters replicate");
        var replicated = await TestNode.ProblemAsync(AppendAsync(node, "fresh-0"), ApiErrorCode.NotFound);
        Assert.Contains("while clusters replicate", replicated.Detail, StringComparison.Ordinal);

        var off = await scene.AddAsync("n2", ("Metadata:AutoCreateTopics", "false"));
        await TestNode.ProblemAsync(AppendAsync(off, "fresh-0"), ApiErrorCode.NotLeader);
        Assert.Empty((await CatalogueScene.ReadAsync(node, "topics")).Topics!);
    }

    [Fact]
    public async Task The_catalogue_hears_how_far_a_partition_can_be_read()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 2, ("Metadata:HighWatermarkIntervalMs", "100"));
        await CatalogueScene.WriteAsync(scene.Leader, new CreateTopic("far", 1, 1));
        AppendResponse last = null!;
        for (var i = 0; i < 5; i++)
        {
            last = await scene.Follower.AppendAsync("far-0", $"message {i}");
        }

        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(scene.Follower, "topics/far")).Topic!.Partitions.Single().HighWatermark == last.LastLsn, "the high watermark is the last LSN");
    }

    private static Task<HttpResponseMessage> AppendAsync(TestNode node, string channel) => node.PostAsync($"channels/{channel}/messages", new AppendRequest([new MessageBody("x"u8.ToArray())]));
}
