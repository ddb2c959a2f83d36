using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Functions.Failover;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Reconcile;

public sealed class ReconcileTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_pass_tells_a_leader_what_it_lacks_in_one_call_and_leaves_alone_what_is_open()
    {
        await using var plane = await StartAsync();
        await plane.AddChannelAsync("ch3");
        await plane.AddChannelAsync("ch4");
        var state = await plane.StateAsync();
        var behind = plane.Nodes[1];
        behind.Open.Clear();
        await plane.BeatAsync();
        plane.ForgetCalls();

        var pass = await plane.PassAsync();

        var lacked = state.Channels.Where(c => c.Value.Leader == "n2").OrderBy(c => c.Value.Index).Select(c => new ChannelAtTerm(c.Key, c.Value.Term)).ToList();
        Assert.Equal(2, lacked.Count);
        Assert.Equal(["health", "open-many"], behind.Calls.Select(c => c.Verb));
        Assert.Equal(lacked, Assert.Single(behind.Of("open-many")).Many!);
        Assert.Equal("health", Assert.Single(plane.Nodes[0].Calls).Verb);
        Assert.Contains("2 channels to be opened", pass.Summary, StringComparison.Ordinal);
        Assert.Equal(["Answering", "NotAnswering", "Replicas", "Pass"], pass.Steps!.Select(s => s.Name));
        Assert.Equal(["Plan", "Nodes", "Replicas", "Report"], (await plane.Operations.ReadStepsAsync(RoutineReconcile.OperationId, default)).Select(s => s.Name));
    }

    [Fact]
    public async Task A_pass_over_a_cluster_that_is_as_it_should_be_writes_neither_state_nor_circuits()
    {
        await using var plane = await StartAsync();
        await plane.PassAsync();
        await plane.BeatAsync();
        plane.ForgetCalls();

        await plane.PassAsync();

        Assert.DoesNotContain(plane.Storage.Calls, c => c.EndsWith("ClusterState", StringComparison.Ordinal) && !c.StartsWith("GET", StringComparison.Ordinal));
        Assert.DoesNotContain(plane.Storage.Calls, c => c.EndsWith("Nodes", StringComparison.Ordinal) && !c.StartsWith("GET", StringComparison.Ordinal));
        Assert.All(plane.Nodes, n => Assert.Equal("health", Assert.Single(n.Calls).Verb));
    }

    [Fact]
    public async Task Nodes_that_are_silent_failed_or_removed_are_skipped_before_any_call_and_reported_with_the_reason()
    {
        await using var plane = await StartAsync();
        await plane.AddNodeAsync("n3");
        await plane.States.UpdateAsync(s => s with { Version = s.Version + 1, Nodes = Nodes(s, ("n2", n => n with { Failed = true }), ("n3", n => n with { RemovedAt = plane.Time.GetUtcNow() })) }, default);
        plane.Time.Advance(TimeSpan.FromSeconds(700));
        plane.ForgetCalls();

        var pass = await plane.PassAsync();

        Assert.Empty(plane.Nodes.SelectMany(n => n.Calls));
        Assert.Contains("skipped: n1 (silent); n2 (failed); n3 (removed)", pass.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_kept_of_nodes_that_the_state_has_forgotten_goes_with_the_next_pass()
    {
        await using var plane = await StartAsync();
        var beats = plane.Get<HeartbeatStore>();
        var circuits = plane.Get<CircuitStore>();
        await beats.WriteAsync("gone", [], default);
        await circuits.UpdateAsync("gone", c => c.Failed(plane.Time.GetUtcNow()), default);
        plane.Time.Advance(ReplicaSets.RemovedRowsStayFor + TimeSpan.FromMinutes(1));
        await beats.WriteAsync("joining", [], default);

        await plane.PassAsync();

        // The state's nodes stay, however long they have been silent, and so does one whose join has got as far as its beat.
        Assert.Equal(["joining", "n1", "n2"], (await beats.ReadAllAsync(default)).Keys.Order(StringComparer.Ordinal), StringComparer.Ordinal);
        Assert.Empty(await circuits.ReadAllAsync(default));
    }

    [Fact]
    public async Task A_node_that_is_another_than_was_asked_for_is_told_nothing()
    {
        await using var plane = await StartAsync();
        plane.Nodes[1].SaysItIs = "n1";
        plane.ForgetCalls();

        var pass = await plane.PassAsync();

        Assert.Equal("health", Assert.Single(plane.Nodes[1].Calls).Verb);
        Assert.Contains("is node 'n1'", pass.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failover_in_the_middle_of_a_pass_wins_and_the_stale_step_changes_nothing()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        var channel = before.Channels.First(c => c.Value.Leader == "n1");
        var (asked, answer) = (new TaskCompletionSource(), new TaskCompletionSource<ApiError?>());
        plane.Nodes[0].Intercept = call =>
        {
            if (call.Verb != "health")
            {
                return Task.FromResult<ApiError?>(null);
            }

            asked.TrySetResult();
            return answer.Task;
        };
        await plane.AskAsync();
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(60));

        await FailAsync(plane, "n1");
        answer.SetResult(null);
        await plane.PassIsOverAsync();

        // It was told by the state that the pass had read, and that is over.
        Assert.Contains(new ChannelAtTerm(channel.Key, channel.Value.Term), Assert.Single(plane.Nodes[0].Of("open-many")).Many!);
        var after = await plane.StateAsync();
        Assert.Equal(("n2", channel.Value.Term + 1), (after.Channels[channel.Key].Leader, after.Channels[channel.Key].Term));
        Assert.True(after.Nodes["n1"].Failed);
        Assert.Equal(channel.Value.Term + 1, plane.Nodes[1].Open[channel.Key]);

        plane.ForgetCalls();
        await plane.PassAsync();
        Assert.Empty(plane.Nodes[0].Calls);
    }

    [Fact]
    public async Task A_pass_gives_a_channel_the_copies_that_it_lacks_once_there_is_a_node_for_them()
    {
        await using var plane = await StartAsync();
        await plane.States.UpdateAsync(s => s with { Version = s.Version + 1, Channels = s.Channels.ToDictionary(c => c.Key, c => c.Value with { ReplicationFactor = 2, Replicas = [] }) }, default);
        await FailAsync(plane, "n2");
        await plane.PassAsync();
        Assert.All((await plane.StateAsync()).Channels.Values, c => Assert.Empty(c.Replicas));

        await plane.AddNodeAsync("n3");
        await plane.PassAsync();

        Assert.All((await plane.StateAsync()).Channels.Values, c => Assert.Equal(["n1", "n3"], c.Replicas.Select(r => r.NodeId).Append(c.Leader!).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task A_join_asks_for_a_pass()
    {
        await using var plane = await StartAsync();

        var sent = default(string);
        await plane.CallAsync<NodeJoin>(
            async (f, r) =>
            {
                var outputs = await f.RunAsync(r, default);
                sent = outputs.Reconcile;
                return outputs.Answer;
            },
            new JoinNodeRequest(plane.Nodes[0].Endpoint),
            ("nodeId", "n1"));

        Assert.Equal("n1", JsonSerializer.Deserialize<ReconcileRequest>(sent!, BatonJson.Options)!.Scope!.NodeId);
        Assert.Null((await plane.AskAsync(sent)).DeadLetter);
        await plane.PassIsOverAsync();
    }

    [Fact]
    public async Task Requests_during_a_pass_are_one_more_pass_and_requests_afterwards_run_it_again()
    {
        await using var plane = await StartAsync();
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == nameof(ReportReconcile) ? hold.Task : Task.CompletedTask;

        await plane.AskAsync();
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(ReconcileNodes)) == 1));
        await plane.AskAsync();
        await plane.AskAsync();
        hold.SetResult();
        await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId);
        Assert.Equal(2, plane.Engine.Runs(nameof(PlanReconcile)));

        await plane.AskAsync();
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(PlanReconcile)) == 3));
        Assert.Equal(OperationStatus.Succeeded, (await ForcedPromotionTests.FinishedAsync(plane, RoutineReconcile.OperationId)).Status);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("""{"eventId":"e","reason":"r","requestedAt":"2026-01-02T03:04:05Z","scope":{"nodeId":"nobody"}}""")]
    public async Task A_body_that_nobody_can_act_on_goes_to_the_dead_letters_at_once(string body)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());

        var outputs = await plane.AskAsync(body);

        Assert.NotNull(outputs.DeadLetter);
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.DeadLetter);
        Assert.Empty(plane.Engine.InstanceIds);
    }

    internal static Task<UrgentFailoverOutputs> FailAsync(ControlPlane plane, string nodeId) => plane.RunAsync<UrgentFailover, UrgentFailoverOutputs>(f => f.RunAsync(
        JsonSerializer.SerializeToUtf8Bytes(new UrgentFailoverMessage(Guid.NewGuid().ToString("N"), nodeId, "test", DateTimeOffset.UtcNow), BatonJson.Options), default));

    // Silent after ten minutes: none of these tests is about silence, whatever the machine is busy with.
    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), logs: null, ("Failover:HeartbeatTimeoutMs", "600000"));
        await plane.WithTwoNodesAsync();
        return plane;
    }

    private static Dictionary<string, NodeState> Nodes(ClusterState state, params (string Id, Func<NodeState, NodeState> Change)[] changes) =>
        state.Nodes.ToDictionary(n => n.Key, n => changes.Where(c => c.Id == n.Key).Aggregate(n.Value, (node, c) => c.Change(node)));
}
