using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>Topics of a cluster of real processes, created in every way and through every node, and the catalogue that says what they are.</summary>
public sealed class MetadataTopicTests(MetadataCluster fixture, ITestOutputHelper output) : IClassFixture<MetadataCluster>
{
    private static readonly int Kills = Sampled.Count(2, 8);

    [Fact]
    public async Task A_topic_is_created_through_any_node_and_its_answer_has_the_leaders_of_its_partitions()
    {
        for (var node = 0; node < MetadataCluster.Nodes; node++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"asked{node}");
            var answer = (await fixture.CommandAsync(node, new CreateTopic(name, 2, 3))).Value;

            var topic = Assert.Single(answer.Topics!);
            Assert.Equal((name, answer.FirstLsn, 2), (topic.Name, topic.TopicId, topic.Partitions.Count));
            Assert.All(topic.Partitions, p => Assert.True(p is { Leader: not null, Term: > 0, Replicas.Count: 3 }, p.ToString()));
            var everywhere = await fixture.TopicEverywhereAsync(name, answer.LastLsn);
            Assert.All(everywhere, t => Assert.Equal(topic.TopicId, t.TopicId));
            Assert.Equal(200, (await fixture.AppendAsync(fixture.Cluster.NodeAddress((node + 1) % MetadataCluster.Nodes), topic.Partitions[1].Channel, "m")).Status);
        }
    }

    [Fact]
    public async Task The_first_append_to_a_partition_creates_its_topic_at_any_node_and_through_the_gateway()
    {
        Uri[] doors = [.. Enumerable.Range(0, MetadataCluster.Nodes).Select(fixture.Cluster.NodeAddress), fixture.Cluster.Gateway];
        for (var door = 0; door < doors.Length; door++)
        {
            var channel = string.Create(CultureInfo.InvariantCulture, $"first{door}-0");

            Assert.Equal(200, (await fixture.AppendAsync(doors[door], channel, "first")).Status);
            Assert.Equal(200, (await fixture.AppendAsync(doors[(door + 1) % doors.Length], channel, "second")).Status);

            Assert.Equal(["first", "second"], await fixture.TextsAsync(channel));
        }
    }

    [Fact]
    public async Task Thirty_two_callers_who_create_one_topic_at_once_get_one_topic_with_one_assignment()
    {
        Uri[] doors = [.. Enumerable.Range(0, MetadataCluster.Nodes).Select(fixture.Cluster.NodeAddress), fixture.Cluster.Gateway];
        var created = 0;

        var statuses = await Task.WhenAll(Enumerable.Range(0, 32).Select(async i =>
        {
            var door = doors[i / 2 % doors.Length];
            if (i % 2 == 1)
            {
                return (await fixture.AppendAsync(door, "together-0", string.Create(CultureInfo.InvariantCulture, $"m{i}"))).Status;
            }

            var answer = await fixture.Catalogue.CommandAsync(door, CancellationToken.None, new CreateTopic("together", 1, 3));
            Interlocked.Add(ref created, answer.Status == 200 ? 1 : 0);
            return answer.Status == 409 ? 200 : answer.Status;
        }));

        Assert.All(statuses, s => Assert.Equal(200, s));
        Assert.True(created <= 1, $"{created} of those who asked were told that they created it");
        var messages = await fixture.TextsAsync("together-0");
        Assert.Equal(Enumerable.Range(0, 16).Select(i => string.Create(CultureInfo.InvariantCulture, $"m{(2 * i) + 1}")).Order(StringComparer.Ordinal), messages.Order(StringComparer.Ordinal));
        var log = await MetadataLogCheck.ReadAsync(fixture.Cluster, CancellationToken.None);
        var creation = Assert.Single(log, e => e.Command is CreateTopic { Name: "together" });
        Assert.Single(log, e => e.Command is AssignPartition { Topic: "together" });
        var everywhere = await fixture.TopicEverywhereAsync("together", creation.Lsn);
        Assert.All(everywhere, t => Assert.Equal(creation.Lsn, t.TopicId));
        var partition = Assert.Single(everywhere[0].Partitions);
        Assert.Equal("together-0", partition.Channel);
    }

    [Fact]
    public async Task Of_two_who_create_one_topic_at_once_one_is_told_that_it_did_and_one_that_it_is_there()
    {
        for (var round = 0; round < 5; round++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"twice{round}");

            var answers = await Task.WhenAll(fixture.CommandAsync(round % MetadataCluster.Nodes, new CreateTopic(name, 1, 1)), fixture.CommandAsync((round + 1) % MetadataCluster.Nodes, new CreateTopic(name, 1, 1)));

            Assert.Equal([200, 409], answers.Select(a => a.Status).Order());
            Assert.Equal(nameof(ApiErrorCode.Conflict), answers.Single(a => a.Status == 409).Problem!.Code);
        }
    }

    [Fact]
    public async Task A_topic_that_is_deleted_and_created_again_has_its_new_partitions_and_an_empty_log()
    {
        var first = (await fixture.CommandAsync(0, new CreateTopic("again", 2, 2))).Value;
        Assert.Equal(200, (await fixture.AppendAsync(fixture.Cluster.Gateway, "again-0", "old")).Status);
        Assert.Equal(200, (await fixture.CommandAsync(1, new DeleteTopic("again"))).Status);

        var second = (await fixture.CommandAsync(2, new CreateTopic("again", 3, 2))).Value;

        var topic = Assert.Single(second.Topics!);
        Assert.True(topic.TopicId > first.FirstLsn);
        Assert.Equal(["again-0-g2", "again-1-g2", "again-2-g2"], topic.Partitions.Select(p => p.Channel));
        Assert.All(await fixture.TopicEverywhereAsync("again", second.LastLsn), t => Assert.Equal((topic.TopicId, 3), (t.TopicId, t.Partitions.Count)));
        Assert.Equal(200, (await fixture.AppendAsync(fixture.Cluster.Gateway, "again-0-g2", "new")).Status);
        Assert.Equal(["new"], await fixture.TextsAsync("again-0-g2"));
        await fixture.Cluster.Client.WaitUntilServingAsync([.. topic.Partitions.Select(p => p.Channel)], MetadataCluster.Patience, CancellationToken.None);
    }

    [Fact]
    public async Task A_writer_reads_its_own_write_on_every_node()
    {
        Assert.Equal(200, (await fixture.CommandAsync(0, new CreateTopic("own", 1, 1), new CreateConsumerGroup("own"))).Status);
        for (var i = 1; i <= 20; i++)
        {
            var written = (await fixture.CommandAsync(i % MetadataCluster.Nodes, new CommitOffset("own", "own", 0, i))).Value;

            for (var node = 0; node < MetadataCluster.Nodes; node++)
            {
                var read = await fixture.Catalogue.ReadAsync(node, string.Create(CultureInfo.InvariantCulture, $"metadata/groups/own?local=true&minLsn={written.LastLsn}"), CancellationToken.None);

                Assert.Equal(fixture.Cluster.NodeId(node), read.NodeId);
                Assert.Equal(i, Assert.Single(read.Group!.Offsets!).Offset);
            }
        }
    }

    [Fact]
    public Task Every_partition_gets_another_leader_when_the_leader_of_most_of_them_is_killed() => KilledLeaders.AssertReplacedAsync(fixture.Cluster, kills: Sampled.Count(1, 2), output);

    [Fact]
    public async Task A_leader_of_the_metadata_that_is_killed_again_and_again_costs_no_command_and_no_client_an_error()
    {
        await using var load = MetadataLoad.Start(fixture.Cluster, "killed", clients: 8, seed: 2711, longestPauseMs: 60, CancellationToken.None);
        var kills = new MetadataKills(fixture.Cluster, fixture.Catalogue, load, MetadataCluster.Patience);
        await load.MoreAsync(1, MetadataCluster.Patience, CancellationToken.None);
        var away = new List<double>();
        for (var i = 0; i < Kills; i++)
        {
            var (time, differing) = await kills.KillLeaderAsync(CancellationToken.None);
            Assert.Null(differing);
            away.Add(time.TotalMilliseconds);
        }

        await load.FinishAsync(MetadataCluster.Patience);

        var findings = await load.FindingsAsync(fixture.Catalogue, MetadataCluster.Patience, CancellationToken.None);
        output.WriteLine($"{load.Requests.Count} requests, {load.Counts.Cut} cut by a kill; SIGKILL to the next command: {string.Join(", ", away.Select(a => $"{a:0}"))} ms");
        Assert.True(findings.Count == 0, $"{findings.Count} findings:\n{string.Join('\n', findings.Take(20))}");
        Assert.Equal(0, load.Counts.Unavailable);
    }
}
