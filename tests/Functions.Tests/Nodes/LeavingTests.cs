using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Nodes;

/// <summary>The heartbeat of a node that is about to stop.</summary>
public sealed class LeavingTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task Its_channels_are_moved_by_one_read_one_conditional_write_one_open_call_per_leader_and_one_routine_message()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        var mine = before.Channels.Where(c => c.Value.Leader == "n1").Select(c => new HeartbeatChannel(c.Key, c.Value.Term, "leader", 0, 0)).ToList();
        Assert.NotEmpty(mine);
        Clear(plane);

        var (answer, reconcile) = await LeaveAsync(plane, 1, mine);

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        Assert.Equal(mine.Select(c => c.Name), answer.TakenOver!);
        Assert.Empty(answer.Assignments);
        var after = await plane.StateAsync();
        Assert.All(mine, c => Assert.Equal(("n2", c.Term + 1), (after.Channels[c.Name].Leader, after.Channels[c.Name].Term)));
        Assert.Equal(mine.Select(c => new ChannelAtTerm(c.Name, c.Term + 1)), Assert.Single(plane.Nodes[1].Of("open-many")).Many!);
        Assert.Equal("n1", reconcile!.Scope!.NodeId);
    }

    [Fact]
    public async Task Said_again_it_changes_nothing_and_has_the_same_answer()
    {
        await using var plane = await StartAsync();
        List<HeartbeatChannel> mine = [new("ch1", 1, "leader", 0, 0)];
        var (first, _) = await LeaveAsync(plane, 1, mine);
        var once = await plane.StateAsync();
        Clear(plane);

        var (again, reconcile) = await LeaveAsync(plane, 1, mine);

        Assert.Equal(["GET ClusterState"], plane.Storage.Calls);
        Assert.Empty(plane.Nodes[1].Calls);
        Assert.Equal(once.Version, (await plane.StateAsync()).Version);
        Assert.Equal(first.TakenOver, again.TakenOver);

        // Sent again: the first beat's handler may have died before it was.
        Assert.Null(reconcile!.Failover);
    }

    [Fact]
    public async Task An_old_incarnation_moves_nothing()
    {
        await using var plane = await StartAsync();
        await JoinAgainAsync(plane);
        var before = await plane.StateAsync();

        var (answer, reconcile) = await LeaveAsync(plane, 1, [new("ch1", 1, "leader", 0, 0)]);

        Assert.True(answer.MustRejoin);
        Assert.Equal(["ch1"], answer.TakenOver!);
        Assert.Null(reconcile);
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
        Assert.False((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    [Fact]
    public async Task With_no_other_node_the_answer_names_nothing_and_the_channels_come_back_with_the_next_join()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddChannelAsync("ch1");

        var (answer, _) = await LeaveAsync(plane, 1, [new("ch1", 1, "leader", 0, 0)]);

        Assert.Empty(answer.TakenOver!);
        Assert.True((await plane.StateAsync()).Channels["ch1"].Offline);
        await JoinAgainAsync(plane);
        Assert.Equal(("n1", 2L), ((await plane.StateAsync()).Channels["ch1"].Leader, (await plane.StateAsync()).Channels["ch1"].Term));
    }

    [Fact]
    public async Task A_new_leader_that_does_not_answer_costs_no_more_than_the_one_deadline()
    {
        await using var plane = await StartAsync(("Failover:OpenTimeoutMs", "50"));
        var silence = new TaskCompletionSource<ApiError?>();
        plane.Nodes[1].Intercept = _ => silence.Task;

        var (answer, _) = await LeaveAsync(plane, 1, [new("ch1", 1, "leader", 0, 0)]).WaitAsync(TimeSpan.FromSeconds(120));
        silence.SetResult(null);

        Assert.Equal(["ch1"], answer.TakenOver!);
    }

    [Fact]
    public async Task It_is_on_the_timeline_as_a_failover_is()
    {
        await using var plane = await StartAsync();
        var (_, reconcile) = await LeaveAsync(plane, 1, []);

        await plane.RunAsync<RoutineReconcile, RoutineReconcileOutputs>(f => f.RunAsync(JsonSerializer.SerializeToUtf8Bytes(reconcile, BatonJson.Options), plane.Engine, default));

        var entry = Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Failover);
        Assert.Contains("Node n1 leaves", entry.Summary, StringComparison.Ordinal);
        Assert.Equal(["Read", "Plan", "Write", "Open"], entry.Steps!.Select(s => s.Name), StringComparer.Ordinal);
    }

    [Fact]
    public async Task It_joins_again_as_any_other_and_a_suspicion_at_once_is_acted_upon()
    {
        await using var plane = await StartAsync();
        await LeaveAsync(plane, 1, []);
        await JoinAgainAsync(plane);

        Assert.Equal((2L, false), ((await plane.StateAsync()).Nodes["n1"].Incarnation, (await plane.StateAsync()).Nodes["n1"].Failed));
        await plane.RunAsync<Functions.Failover.UrgentFailover, Functions.Failover.UrgentFailoverOutputs>(
            f => f.RunAsync(Encoding.UTF8.GetBytes("""{"eventId":"e","nodeId":"n1","reason":"reset","observedAt":"2026-01-02T03:04:05Z"}"""), default));
        Assert.True((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    private async Task<ControlPlane> StartAsync(params (string Name, string Value)[] settings)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, settings);
        await plane.WithTwoNodesAsync();
        return plane;
    }

    private static void Clear(ControlPlane plane)
    {
        plane.Storage.Clear();
        foreach (var node in plane.Nodes)
        {
            node.Calls.Clear();
        }
    }

    private static Task<Answer> JoinAgainAsync(ControlPlane plane) =>
        plane.CallAsync<NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, new JoinNodeRequest(plane.Nodes[0].Endpoint), ("nodeId", "n1"));

    private static async Task<(HeartbeatResponse Answer, ReconcileRequest? Reconcile)> LeaveAsync(ControlPlane plane, long incarnation, IReadOnlyList<HeartbeatChannel> held)
    {
        string? reconcile = null;
        var answer = await plane.CallAsync<NodeHeartbeat>(
            async (f, r) =>
            {
                var outputs = await f.RunAsync(r, default);
                reconcile = outputs.Reconcile;
                return outputs.Answer;
            },
            new HeartbeatRequest(incarnation, held, Leaving: true),
            ("nodeId", "n1"));
        return (answer.Read<HeartbeatResponse>(), reconcile is null ? null : JsonSerializer.Deserialize<ReconcileRequest>(reconcile, BatonJson.Options));
    }
}
