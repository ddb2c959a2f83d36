using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Wal;
using Baton.Node.Metadata;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Metadata;

public sealed class CatalogueFailoverTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task Commands_sent_through_a_failover_are_answered_by_the_next_leader_once_each_and_no_client_hears_of_leaders()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture);
        var lost = scene.Leader.Id;
        TestNode[] others = [.. scene.Nodes.Where(n => n.Id != lost)];
        using var over = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 8).Select(async w =>
        {
            var names = new List<string>();
            for (var i = 0; !over.IsCancellationRequested; i++)
            {
                var name = $"g-{w}-{i}";
                using var answer = await CatalogueScene.SendAsync(others[w % others.Length], new CreateConsumerGroup(name));
                Assert.True(answer.IsSuccessStatusCode, $"{name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
                names.Add(name);
            }

            return names;
        }).ToArray();
        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(others[0], "groups?local=true")).Groups!.Count > 20, "the writers write");

        await scene.LoseAsync(lost);
        await Eventually.HoldsAsync(async () => (await CatalogueScene.StatusAsync(scene.Leader)) is { Role: "leader" } && scene.Leader.Id != lost, "another leads");
        var at = (await CatalogueScene.ReadAsync(others[0], "groups?max=1000")).Groups!.Count;
        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(others[0], "groups?max=1000")).Groups!.Count > at + 20, "the writers write on");
        await over.CancelAsync();
        List<string> acknowledged = [.. (await Task.WhenAll(writers)).SelectMany(n => n)];

        await scene.EqualAsync();
        var groups = new List<string>();
        for (string? after = "", next = null; after is not null; after = next)
        {
            var page = await CatalogueScene.ReadAsync(others[0], $"groups?after={after}");
            groups.AddRange(page.Groups!.Select(g => g.GroupId));
            next = page.Next;
        }

        Assert.Equal(acknowledged.Order(StringComparer.Ordinal), groups);
        await Eventually.HoldsAsync(async () => (await CatalogueScene.ReadAsync(others[1], $"nodes/{lost}")).Node!.Status == NodeStatus.Failed, "the catalogue says that the node failed");
    }

    [Fact]
    public async Task Without_a_leader_a_request_waits_for_its_time_and_is_then_told_to_ask_again()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 2, ("Metadata:ForwardTimeoutMs", "400"));
        var follower = scene.Follower;
        await scene.LoseAsync(scene.Leader.Id);
        scene.Plane.Change(s => s with
        {
            Version = s.Version + 1,
            Channels = new Dictionary<string, ChannelState>(s.Channels, StringComparer.Ordinal) { [MetadataChannel.Name] = s.Channels[MetadataChannel.Name] with { Leader = null } },
        });
        await Eventually.HoldsAsync(async () => (await CatalogueScene.StatusAsync(follower)) is { Role: "follower", Leader: null }, "the node knows that nobody leads");

        using var answer = await CatalogueScene.SendAsync(follower, new CreateTopic("late"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.Contains("Metadata:ForwardTimeoutMs", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await TestNode.ProblemAsync(follower.Client.GetAsync("metadata/topics"), ApiErrorCode.Unavailable);
        Assert.Empty((await CatalogueScene.ReadAsync(follower, "topics?local=true")).Topics!);
    }

    [Fact]
    public async Task A_request_that_was_sent_on_goes_no_further()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("metadata/topics", UriKind.Relative));
        request.Headers.Add(BatonHeaders.Forwarded, "n9");

        var problem = await TestNode.ProblemAsync(scene.Follower.Client.SendAsync(request), ApiErrorCode.NotLeader);

        Assert.Equal(scene.Leader.Id, problem.Leader!.NodeId);
    }

    [Fact]
    public async Task A_node_that_starts_late_makes_its_copy_from_the_newest_snapshot_and_what_is_behind_it_when_the_beginning_is_deleted()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 1, ("Node:SnapshotEveryRecords", "100"));
        for (var round = 0; round < 30; round++)
        {
            await CatalogueScene.WriteAsync(scene.Leader, [.. Enumerable.Range(0, 10).Select(i => new CreateConsumerGroup($"g-{round}-{i}", new string('p', 100)))]);
        }

        var store = fixture.OpenStore(scene.Account);
        await Eventually.HoldsAsync(async () => await store.FindSnapshotAsync(MetadataChannel.Name, CancellationToken.None) > 200, "there is a snapshot");
        await CatalogueScene.WriteAsync(scene.Leader, new CreateConsumerGroup("behind-it"));

        await scene.AddAsync("n2");

        await scene.EqualAsync();
        Assert.Equal(301, (await CatalogueScene.ReadAsync(scene.Node("n2"), "groups?local=true")).Groups!.Count);
        Assert.NotNull((await CatalogueScene.StatusAsync(scene.Node("n2"))).RecoveredMs);
    }

    [Fact]
    public async Task A_command_of_a_later_version_stops_a_copy_with_a_message_that_says_so()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 1);
        var node = scene.Leader;
        var before = await CatalogueScene.StatusAsync(node);

        // A leader of a later version: it has taken the log over, and nobody whom this node knows pushes what it writes.
        var store = fixture.OpenStore(scene.Account);
        await using (var later = await store.OpenAsync(MetadataChannel.Name, 100, "later", replay: null, CancellationToken.None))
        {
            await later.Append([new WalRecord { Type = WalRecordType.Message, TimeTick = long.MaxValue >> 12, Payload = """{"v":1,"type":"PaintTopic","name":"a"}"""u8.ToArray() }]).Durable;
        }

        using var fenced = await CatalogueScene.SendAsync(node, new CreateTopic("mine"));
        await Eventually.HoldsAsync(async () => (await CatalogueScene.StatusAsync(node)).Problem is not null, "its copy stands");
        var status = await CatalogueScene.StatusAsync(node);
        Assert.Contains("PaintTopic", status.Problem!, StringComparison.Ordinal);
        Assert.Equal(before.Lsn, status.Lsn);
        await TestNode.ProblemAsync(node.Client.GetAsync("metadata/topics?local=true"), ApiErrorCode.Unavailable);
    }

    [Fact]
    public async Task A_copy_that_differs_from_the_leaders_is_found_and_made_anew_from_the_log()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, nodes: 2);
        await CatalogueScene.WriteAsync(scene.Leader, new CreateTopic("true", 2));
        await scene.EqualAsync();
        var follower = scene.Follower.Services;
        var entropy = follower.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<AntiEntropy>().Single();
        var copy = follower.GetRequiredService<MetadataCopy>();
        var leader = follower.GetRequiredService<MetadataLeader>().Known!;
        Assert.True(await entropy.CompareAsync(leader, CancellationToken.None));

        var state = MetadataState.Empty;
        while (state.LastLsn < copy.State.LastLsn)
        {
            state = state.Skip(state.LastLsn + 1);
        }

        copy.Replace(state);

        Assert.False(await entropy.CompareAsync(leader, CancellationToken.None));
        await scene.EqualAsync();
        Assert.True(await entropy.CompareAsync(leader, CancellationToken.None));
        Assert.Single((await CatalogueScene.ReadAsync(scene.Follower, "topics?local=true")).Topics!);
    }

    [Fact]
    public async Task With_Quorum_an_answer_waits_for_a_majority_and_without_one_says_what_stands_in_the_log()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 3, ("Metadata:Commit", "Quorum"), ("Metadata:QuorumTimeoutMs", "500"), ("Metadata:ForwardTimeoutMs", "800"));
        await CatalogueScene.WriteAsync(scene.Follower, new CreateConsumerGroup("confirmed"));

        foreach (var other in scene.Nodes.Where(n => n.Id != scene.Leader.Id).ToList())
        {
            await scene.LoseAsync(other.Id);
        }

        var problem = await TestNode.ProblemAsync(CatalogueScene.SendAsync(scene.Leader, new CreateConsumerGroup("alone")), ApiErrorCode.Unavailable);

        Assert.Contains("Metadata:QuorumTimeoutMs", problem.Detail, StringComparison.Ordinal);
        Assert.Equal(["alone", "confirmed"], (await CatalogueScene.ReadAsync(scene.Leader, "groups")).Groups!.Select(g => g.GroupId));
    }

    [Fact]
    public async Task A_follower_answers_once_it_has_the_lsn_that_is_asked_for_and_never_before()
    {
        await using var scene = await CatalogueScene.StartAsync(fixture, 2, ("Metadata:ForwardTimeoutMs", "300"), ("Metadata:ReadWaitMs", "100"));
        for (var i = 0; i < 20; i++)
        {
            var written = await CatalogueScene.WriteAsync(scene.Leader, new CreateConsumerGroup($"mine-{i}"));
            var read = await CatalogueScene.ReadAsync(scene.Follower, $"groups/mine-{i}?local=true&minLsn={written.LastLsn}");
            Assert.True(read.Lsn >= written.LastLsn && read.NodeId == scene.Follower.Id && !read.IsLeader);
        }

        var ahead = (await CatalogueScene.StatusAsync(scene.Leader)).Lsn + 1_000;
        await TestNode.ProblemAsync(scene.Follower.Client.GetAsync($"metadata/topics?local=true&minLsn={ahead}"), ApiErrorCode.Unavailable);
        await TestNode.ProblemAsync(scene.Follower.Client.GetAsync($"metadata/topics?minLsn={ahead}"), ApiErrorCode.Unavailable);
    }
}
