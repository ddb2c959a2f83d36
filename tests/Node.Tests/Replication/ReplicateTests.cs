using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Replication;

public sealed class ReplicateTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private const string Local = """{"messages":[{"payload":"YQ=="}]}""";

    [Fact]
    public async Task R73_a_primary_takes_local_writes_and_refuses_replicated_ones()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        Assert.Equal(ClusterRole.Standalone, (await node.StatusAsync(channel)).ReplicateRole);
        await node.AppendAsync(channel, "local");
        await TestNode.ProblemAsync(pair.ReplicateAsync(node, Pair.Plain(1, 1, "x")), ApiErrorCode.ReplicateViolation);
        Assert.Equal(["local"], await node.TextsAsync(channel));
    }

    [Fact]
    public async Task R72_R73_a_primary_that_turns_secondary_starts_at_a_zero_checkpoint_and_back_as_primary_has_none()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 1, pair.Replicated));
        await PrimaryAsync("as primary");

        await pair.FollowAsync(node, broadcastId: 2);
        Assert.Equal(new ReplicateCheckpoint(Pair.Source, pair.SourceChannel, 0, 0), (await node.StatusAsync(channel)).Checkpoint);
        await CountsAsync(pair.ReplicateAsync(node, Pair.Plain(3, 30, "x")), 1, 0);
        await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 3, pair.Replicated));
        await PrimaryAsync("as primary again");

        async Task PrimaryAsync(string text)
        {
            var status = await node.StatusAsync(channel);
            Assert.Equal((ClusterRole.Primary, null), (status.ReplicateRole, status.Checkpoint));
            await node.AppendAsync(channel, text);
            await TestNode.ProblemAsync(pair.ReplicateAsync(node, Pair.Plain(9, 90, "x")), ApiErrorCode.ReplicateViolation);
        }
    }

    [Fact]
    public async Task R74_a_secondary_takes_only_its_sources_records_and_ignores_repeats()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", Local), ApiErrorCode.ReplicateViolation);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest()), ApiErrorCode.ReplicateViolation);
        await TestNode.ProblemAsync(pair.ReplicateFromAsync(node, "c", Pair.Plain(1, 1, "x")), ApiErrorCode.ReplicateViolation);
        Assert.Equal(1, (await node.StatusAsync(channel)).LastLsn);

        await CountsAsync(pair.ReplicateAsync(node, Pair.Plain(1, 1, "one")), appended: 1, ignored: 0);
        await CountsAsync(pair.ReplicateAsync(node, Pair.Plain(1, 1, "one")), appended: 0, ignored: 1);

        (ReadMessage Record, int Appended)[] steps =
        [
            (Pair.Begin(2, 2, 18), 1),
            (Pair.Begin(2, 2, 18), 0),
            (Pair.Body(3, 3, 18, "two"), 1),
            (Pair.Body(3, 3, 18, "two"), 0),
            (Pair.Commit(4, 4, 18), 1),
            (Pair.Commit(4, 4, 18), 0),
        ];
        foreach (var (record, appended) in steps)
        {
            await CountsAsync(pair.ReplicateAsync(node, record), appended, 1 - appended);
        }

        Assert.Equal(["one", "two"], (await node.ReadAsync(channel)).Messages.Where(m => m.Type != WalRecordType.AlterReplicateConfig).Select(m => System.Text.Encoding.UTF8.GetString(m.Payload)).ToArray());
        Assert.Equal(new ReplicateCheckpoint(Pair.Source, pair.SourceChannel, 4, 4), (await node.StatusAsync(channel)).Checkpoint);
    }

    [Fact]
    public async Task A_batch_of_records_keeps_its_order_and_its_source_positions()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        ReadMessage[] batch = [Pair.Plain(5, 50, "p"), Pair.Begin(6, 60, 7), Pair.Body(7, 70, 7, "b"), Pair.Commit(8, 80, 7), Pair.Plain(9, 90, "q")];
        await CountsAsync(pair.ReplicateAsync(node, batch), 5, 0);
        await CountsAsync(pair.ReplicateAsync(node, batch), 0, 5);
        var read = await node.ReadAsync(channel, "all", from: 2);
        Assert.Equal(batch.Select(m => new SourcePosition(Pair.Source, pair.SourceChannel, m.Lsn, m.TimeTick)), read.Messages.Select(m => m.Source!));
        Assert.Equal(batch.Select(m => m.Type), read.Messages.Select(m => m.Type));
    }

    [Fact]
    public async Task R72_the_checkpoint_starts_at_zero_survives_the_same_configuration_and_a_restart_and_goes_with_the_role()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        var at = new ReplicateCheckpoint(Pair.Source, pair.SourceChannel, 3, 30);
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await pair.FollowAsync(node);
            Assert.Equal(at with { Lsn = 0, TimeTick = 0 }, (await node.StatusAsync(channel)).Checkpoint);
            await CountsAsync(pair.ReplicateAsync(node, Pair.Plain(3, 30, "x")), 1, 0);
            await pair.FollowAsync(node, broadcastId: 2);
            Assert.Equal(at, (await node.StatusAsync(channel)).Checkpoint);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        var status = await next.StatusAsync(channel);
        Assert.Equal((ClusterRole.Secondary, at), (status.ReplicateRole, status.Checkpoint));
        var promoted = await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(next));
        Assert.Equal(at, promoted.LastReplicated);
        Assert.Null((await next.StatusAsync(channel)).Checkpoint);
    }

    [Fact]
    public async Task A_violation_in_the_middle_is_told_and_the_records_before_it_stay()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await CountsAsync(pair.ReplicateAsync(node, Pair.Begin(1, 10, 7)), 1, 0);
        await TestNode.ProblemAsync(pair.ReplicateAsync(node, Pair.Plain(2, 20, "inside")), ApiErrorCode.ReplicateViolation);
        await CountsAsync(pair.ReplicateAsync(node, Pair.Body(2, 20, 7, "b"), Pair.Commit(3, 30, 7)), 2, 0);
    }

    [Fact]
    public async Task The_former_source_of_a_promoted_channel_is_told_the_departure_and_which_broadcasts_are_here()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await CountsAsync(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)), 1, 0);
        await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(node));
        var left = new ReplicateDeparture(TestNode.ClusterId, 100, new ReplicateCheckpoint(Pair.Source, pair.SourceChannel, 1, 10));

        Assert.Equal(left, (await TestNode.ProblemAsync(pair.ReplicateAsync(node), ApiErrorCode.ReplicateViolation)).Departure);
        Assert.Equal(left, (await TestNode.ProblemAsync(pair.ReplicateAsync(node, Pair.Plain(2, 20, "late")), ApiErrorCode.ReplicateViolation)).Departure);
        Assert.Null((await TestNode.ProblemAsync(pair.ReplicateFromAsync(node, "c"), ApiErrorCode.ReplicateViolation)).Departure);
        await CountsAsync(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)), 0, 1);
        Assert.Equal(left, (await TestNode.ProblemAsync(pair.ReplicateAsync(node, pair.Broadcast(3, 30, 78)), ApiErrorCode.ReplicateViolation)).Departure);
    }

    private static async Task CountsAsync(Task<HttpResponseMessage> call, int appended, int ignored)
    {
        var answer = await TestNode.OkAsync<ReplicateResponse>(call);
        Assert.Equal((appended, ignored), (answer.Appended, answer.Ignored));
    }
}
