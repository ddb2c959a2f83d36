using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Reconcile;
using Baton.Functions.Switchover;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Failover;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;
using Baton.Testing;

namespace Baton.Functions.Tests.Switchover;

/// <summary><c>DELETE /api/nodes/{nodeId}</c>.</summary>
public sealed class NodeRemovalTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_node_is_drained_in_one_write_and_removed_in_another_once_the_others_lead()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        var operation = await RemoveAsync(plane);

        Assert.Equal((OperationStatus.Succeeded, null), (operation.Status, operation.Error));
        Assert.Equal(["Drain", "Open", "Confirm", "Replicas", "Remove", "Report"], operation.Steps.Select(s => s.Name), StringComparer.Ordinal);
        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 2, after.Version);
        Assert.All(after.Channels.Values, c => Assert.Equal("n2", c.Leader));
        Assert.NotNull(after.Nodes["n1"].RemovedAt);
        Assert.Single(plane.Nodes[1].Of("open-many"));
        Assert.Empty(plane.Nodes[0].Calls);
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.NodeRemoved);

        // Its copies are made elsewhere by a reconciliation, which is asked for.
        Assert.NotNull(await plane.Operations.ReadHeadAsync(RoutineReconcile.OperationId, default));
    }

    [Fact]
    public async Task While_it_drains_the_topology_shows_it_and_afterwards_it_is_gone()
    {
        await using var plane = await StartAsync();
        IReadOnlyList<NodeView> during = [];
        plane.Engine.BeforeActivity = async name =>
        {
            during = name == nameof(OpenMoved) ? (await TopologyAsync(plane)).Nodes : during;
            await ConfirmAsync(plane, name);
        };

        await RemoveAsync(plane);

        Assert.Equal([("n1", true), ("n2", false)], during.Select(n => (n.NodeId, n.Draining)));
        Assert.Equal(["n2"], (await TopologyAsync(plane)).Nodes.Select(n => n.NodeId), StringComparer.Ordinal);
    }

    [Fact]
    public async Task Its_process_is_told_and_not_let_in_again_but_a_new_one_is()
    {
        await using var plane = await StartAsync();
        await RemoveAsync(plane);

        var beat = (await plane.BeatAsync("n1", 1)).Read<HeartbeatResponse>();
        var same = await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-1");
        var other = await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-2");

        Assert.Equal((true, false), (beat.Removed, beat.MustRejoin));
        Assert.Equal((409, 200), (same.Status, other.Status));
        Assert.True((await plane.StateAsync()).Nodes["n1"].IsCandidate);
    }

    [Fact]
    public async Task Asked_for_again_it_is_the_same_operation_and_one_that_came_back_can_be_removed_again()
    {
        await using var plane = await StartAsync();
        await RemoveAsync(plane);
        var removed = await plane.StateAsync();

        Assert.Equal(OperationStatus.Succeeded, (await RemoveAsync(plane)).Status);
        Assert.Equal(removed.Version, (await plane.StateAsync()).Version);

        await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-2");
        Assert.Equal(OperationStatus.Succeeded, (await RemoveAsync(plane)).Status);
        Assert.NotNull((await plane.StateAsync()).Nodes["n1"].RemovedAt);
    }

    [Theory]
    [InlineData(nameof(DrainNode), false)]
    [InlineData(nameof(DrainNode), true)]
    [InlineData(nameof(OpenMoved), true)]
    [InlineData(nameof(ConfirmMoved), true)]
    [InlineData(nameof(AwaitReplicas), true)]
    [InlineData(nameof(RemoveMember), false)]
    [InlineData(nameof(RemoveMember), true)]
    [InlineData(nameof(ReportSwitchover), true)]
    [InlineData("FinishOperation", false)]
    public async Task Lost_at_any_step_the_next_attempt_ends_the_same(string activity, bool after)
    {
        await using var plane = await StartAsync();
        plane.Engine.LoseAt = new Loss(activity, after);

        var id = (await AskAsync(plane, "n1")).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        await plane.SweepAsync();
        await ForcedPromotionTests.FinishedAsync(plane, id);

        Assert.Equal(OperationStatus.Succeeded, (await plane.Operations.ReadAsync(id, default))!.Status);
        var state = await plane.StateAsync();
        Assert.NotNull(state.Nodes["n1"].RemovedAt);
        Assert.All(state.Channels.Values, c => Assert.Equal("n2", c.Leader));
        Assert.Equal(2, state.Channels["ch1"].Term);
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.NodeRemoved);
    }

    [Fact]
    public async Task A_crash_between_the_state_and_its_note_still_waits_for_those_who_take_over_what_the_node_serves()
    {
        await using var plane = await StartAsync();
        await plane.BeatAllAsync();
        var lost = false;
        plane.Storage.Refuse = call => call == "POST Operations" && plane.States.ReadAsync(default).Result.State.Nodes["n1"].Draining && !lost && (lost = true) ? 400 : null;

        var operation = await RemoveAsync(plane);

        Assert.True(lost);
        Assert.Equal(OperationStatus.Succeeded, operation.Status);
        Assert.Contains("2 of 2 channels", operation.Steps.Single(s => s.Name == "Confirm").Detail, StringComparison.Ordinal);
        Assert.Equal(2, (await plane.StateAsync()).Channels["ch1"].Term);
    }

    [Fact]
    public async Task Without_another_live_node_it_is_refused_at_once()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddChannelAsync("ch1");

        var answer = await AskAsync(plane, "n1");

        Assert.Equal((409, "Conflict"), (answer.Status, answer.Problem.Code));
        Assert.False((await plane.StateAsync()).Nodes["n1"].Draining);
    }

    [Theory]
    [InlineData(nameof(DrainNode))]
    [InlineData(nameof(ConfirmMoved))]
    [InlineData(nameof(RemoveMember))]
    public async Task Where_the_last_other_node_fails_in_the_middle_it_fails_and_the_node_is_a_member_as_before(string before)
    {
        await using var plane = await StartAsync();
        var failed = false;
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == before && !failed)
            {
                failed = true;
                await plane.HandleAsync(UrgentQueue.Report("n2"));
            }

            await ConfirmAsync(plane, name);
        };

        var operation = await RemoveAsync(plane);

        Assert.Equal((OperationStatus.Failed, "Conflict"), (operation.Status, operation.Error!.Code));
        Assert.Contains("No other live node", operation.Error.Detail, StringComparison.Ordinal);
        var state = await plane.StateAsync();
        Assert.Equal((false, null), (state.Nodes["n1"].Draining, state.Nodes["n1"].RemovedAt));
        Assert.All(state.Channels.Values, c => Assert.Equal("n1", c.Leader));
    }

    [Fact]
    public async Task Where_its_last_write_never_wins_it_is_given_up_once_the_node_is_a_member_as_before()
    {
        await using var plane = await StartAsync();
        plane.Engine.LoseAt = new Loss(nameof(RemoveMember), After: false);
        var id = (await AskAsync(plane, "n1")).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        for (var head = await HeadAsync(plane, id); head.Attempt < OperationSweep.MaxAttempts - 1; head = await HeadAsync(plane, id))
        {
            await plane.Operations.NextAttemptAsync(head, "of the test", default);
        }

        // The last attempt: everybody else's write comes first.
        var othersFirst = false;
        plane.Storage.Refuse = call => othersFirst && call == "PUT ClusterState" ? 412 : null;
        plane.Engine.BeforeActivity = name =>
        {
            othersFirst = name == nameof(RemoveMember);
            return ConfirmAsync(plane, name);
        };
        plane.Time.Advance(OperationSweep.StartGrace);
        await plane.SweepAsync();
        await plane.Engine.EndOfAsync($"{id}-{OperationSweep.MaxAttempts}");

        // And still when the node is to be put back: then the operation has not ended.
        Assert.True((await plane.StateAsync()).Nodes["n1"].Draining);
        await Assert.ThrowsAsync<AggregateException>(plane.SweepAsync);
        Assert.True((await HeadAsync(plane, id)).Running);
        othersFirst = false;
        await plane.SweepAsync();

        var operation = (await plane.Operations.ReadAsync(id, default))!;
        Assert.Equal((OperationStatus.Failed, "Unavailable"), (operation.Status, operation.Error!.Code));
        Assert.Contains("Too many writers change", operation.Error.Detail, StringComparison.Ordinal);
        Assert.Contains("Node n1 is a member as before", operation.Error.Detail, StringComparison.Ordinal);
        Assert.True((await plane.StateAsync()).Nodes["n1"].IsCandidate);
        plane.Engine.BeforeActivity = name => ConfirmAsync(plane, name);
        Assert.Equal(OperationStatus.Succeeded, (await RemoveAsync(plane)).Status);
    }

    [Fact]
    public async Task What_it_has_copies_of_is_in_sync_elsewhere_before_it_goes()
    {
        await using var plane = await StartWithCopiesAsync();
        var waited = new List<string>();
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == nameof(AwaitReplicas) && await ReplicasAsync(plane) is var (ch1, ch2))
            {
                waited.Add($"{ch1} / {ch2}");
                await InSyncAsync(plane, waited.Count > 2 ? "n3" : "");
            }

            await ConfirmAsync(plane, name);
        };

        var operation = await RemoveAsync(plane);

        Assert.Equal((OperationStatus.Succeeded, null), (operation.Status, operation.Error));
        Assert.Equal(["n1 / n1!", "n1 n3 / n1! n3", "n1 n3 / n1! n3"], waited.Take(3), StringComparer.Ordinal);
        var state = await plane.StateAsync();
        Assert.All(state.Channels.Values.Where(c => c.ReplicationFactor > 1), c => Assert.Contains(c.Replicas, r => r is { NodeId: "n3", State: ReplicaProgress.InSync }));
        Assert.NotNull(state.Nodes["n1"].RemovedAt);
    }

    [Fact]
    public async Task Where_the_node_that_was_to_have_the_copies_dies_it_goes_without_waiting_for_what_cannot_be()
    {
        await using var plane = await StartWithCopiesAsync();
        var died = false;
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == nameof(AwaitReplicas) && !died && await ReplicasAsync(plane) is ("n1 n3", _))
            {
                died = true;
                await plane.HandleAsync(UrgentQueue.Report("n3"));
            }

            await ConfirmAsync(plane, name);
        };

        var operation = await RemoveAsync(plane);

        Assert.True(died);
        Assert.Equal(OperationStatus.Succeeded, operation.Status);
        Assert.NotNull((await plane.StateAsync()).Nodes["n1"].RemovedAt);
    }

    [Fact]
    public async Task Where_the_copies_do_not_come_in_sync_it_fails_after_ten_minutes_and_the_node_is_a_member_as_before()
    {
        await using var plane = await StartWithCopiesAsync();
        plane.Engine.Timers = Timers.WhenIdle;
        plane.Engine.BeforeActivity = async name =>
        {
            await (name == nameof(AwaitReplicas) ? plane.BeatAllAsync() : ConfirmAsync(plane, name));
        };

        var operation = await RemoveAsync(plane);

        Assert.Equal((OperationStatus.Failed, "Unavailable"), (operation.Status, operation.Error!.Code));
        Assert.Contains("ch1; ch2", operation.Error.Detail, StringComparison.Ordinal);
        Assert.InRange(plane.Engine.Runs(nameof(AwaitReplicas)), 100, 400);
        var node = (await plane.StateAsync()).Nodes["n1"];
        Assert.Equal((false, null), (node.Draining, node.RemovedAt));
    }

    [Fact]
    public async Task A_node_that_is_unknown_is_404_and_one_that_has_failed_is_removed_without_asking_it()
    {
        await using var plane = await StartAsync();
        Assert.Equal(404, (await AskAsync(plane, "nobody")).Status);
        await plane.Nodes[0].KillAsync();
        await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.Equal(OperationStatus.Succeeded, (await RemoveAsync(plane)).Status);
        Assert.NotNull((await plane.StateAsync()).Nodes["n1"].RemovedAt);
    }

    [Fact]
    public void It_takes_the_key_of_an_administrator_and_a_move_the_ordinary_one()
    {
        var levels = FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly).Functions
            .Where(f => f.Trigger is HttpTriggerAttribute)
            .ToDictionary(f => f.Name, f => ((HttpTriggerAttribute)f.Trigger).AuthLevel, StringComparer.Ordinal);

        Assert.Equal((AuthorizationLevel.Admin, AuthorizationLevel.Function), (levels["NodeRemove"], levels["ChannelMove"]));
    }

    // n1 leads the metadata and ch1, n2 leads ch2 and ch3.
    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        await plane.AddChannelAsync("ch3");
        Assert.Equal(200, (await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-1")).Status);
        await plane.States.UpdateAsync(
            s => s with
            {
                Version = s.Version + 1,
                Nodes = s.Nodes.ToDictionary(n => n.Key, n => n.Value with { Incarnation = 1 }, StringComparer.Ordinal),
                Channels = s.Channels.ToDictionary(c => c.Key, c => c.Value with { Term = 1 }, StringComparer.Ordinal),
            },
            default);
        plane.ClearCalls();
        plane.Engine.BeforeActivity = name => ConfirmAsync(plane, name);
        return plane;
    }

    // As above, with n3, and two copies of ch1 and ch2: n1 leads ch1 and follows ch2, n2 the other way round.
    private async Task<ControlPlane> StartWithCopiesAsync()
    {
        var plane = await StartAsync();
        await plane.AddNodeAsync("n3");
        await plane.States.UpdateAsync(
            s => s with
            {
                Version = s.Version + 1,
                Channels = s.Channels.ToDictionary(
                    c => c.Key,
                    c => c.Key == "ch3" ? c.Value : c.Value with { ReplicationFactor = 2, Replicas = [new ReplicaState(c.Value.Leader == "n1" ? "n2" : "n1", ReplicaMode.Sync, ReplicaProgress.InSync, 5)] },
                    StringComparer.Ordinal),
            },
            default);
        return plane;
    }

    private static async Task<(string Ch1, string Ch2)> ReplicasAsync(ControlPlane plane)
    {
        var state = await plane.StateAsync();
        string Of(string channel) => state.Channels[channel].Replicas is { Count: > 0 } some ? string.Join(' ', some.Select(r => $"{r.NodeId}{(r.State == ReplicaProgress.InSync ? "!" : "")}")) : "-";
        return (Of("ch1"), Of("ch2"));
    }

    private static Task<ClusterState> InSyncAsync(ControlPlane plane, string nodeId) => plane.States.UpdateAsync(
        s => !s.Channels.Values.Any(c => c.Replicas.Any(r => r.NodeId == nodeId && r.State != ReplicaProgress.InSync)) ? s : s with
        {
            Version = s.Version + 1,
            Channels = s.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = [.. c.Value.Replicas.Select(r => r.NodeId == nodeId ? r with { State = ReplicaProgress.InSync } : r)] }, StringComparer.Ordinal),
        },
        default);

    private static async Task<OperationHead> HeadAsync(ControlPlane plane, string id) => (await plane.Operations.ReadHeadAsync(id, default))!;

    private static Task ConfirmAsync(ControlPlane plane, string activity) => activity == nameof(ConfirmMoved) ? plane.BeatAllAsync() : Task.CompletedTask;

    private static async Task<TopologyView> TopologyAsync(ControlPlane plane) => (await plane.CallAsync<TopologyRead>((f, r) => f.RunAsync(r, default))).Read<TopologyView>();

    private static Task<Answer> AskAsync(ControlPlane plane, string nodeId) =>
        plane.CallAsync<NodeRemove>((f, r) => f.RunAsync(r, plane.Engine, default), null, ("nodeId", nodeId));

    private static async Task<Operation> RemoveAsync(ControlPlane plane)
    {
        var answer = await AskAsync(plane, "n1");
        Assert.Equal(202, answer.Status);
        var id = answer.Read<OperationAccepted>().OperationId;
        await ForcedPromotionTests.FinishedAsync(plane, id);
        return (await plane.Operations.ReadAsync(id, default))!;
    }
}
