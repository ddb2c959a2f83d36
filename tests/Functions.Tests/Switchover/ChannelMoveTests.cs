using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Functions.Switchover;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Failover;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Switchover;

/// <summary><c>POST /api/channels/{name}/move</c>.</summary>
public sealed class ChannelMoveTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_move_is_one_conditional_write_one_open_call_and_ends_when_the_new_leader_says_that_it_leads()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        var operation = await MoveAsync(plane, "ch1", "n2");

        Assert.Equal(OperationStatus.Succeeded, operation.Status);
        Assert.Equal(["Plan", "Open", "Confirm", "Report"], operation.Steps.Select(s => s.Name), StringComparer.Ordinal);
        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 1, after.Version);
        Assert.Equal(("n2", before.Channels["ch1"].Term + 1), (after.Channels["ch1"].Leader, after.Channels["ch1"].Term));
        Assert.Equal(new ReplicaState("n1", ReplicaMode.Async, ReplicaProgress.Disconnected, 0), Assert.Single(after.Channels["ch1"].Replicas));
        Assert.Equal([new ChannelAtTerm("ch1", 2)], Assert.Single(plane.Nodes[1].Calls).Many!);
        Assert.Empty(plane.Nodes[0].Calls);
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Moved);
    }

    [Fact]
    public async Task Asked_for_again_it_changes_nothing_and_back_and_forth_it_runs_each_time()
    {
        await using var plane = await StartAsync();
        await MoveAsync(plane, "ch1", "n2");
        var once = await plane.StateAsync();

        Assert.Equal(OperationStatus.Succeeded, (await MoveAsync(plane, "ch1", "n2")).Status);
        Assert.Equal(once.Version, (await plane.StateAsync()).Version);

        await MoveAsync(plane, "ch1", "n1");
        await MoveAsync(plane, "ch1", "n2");
        Assert.Equal(("n2", once.Channels["ch1"].Term + 2), ((await plane.StateAsync()).Channels["ch1"].Leader, (await plane.StateAsync()).Channels["ch1"].Term));
    }

    [Fact]
    public async Task A_second_request_joins_the_first()
    {
        await using var plane = await StartAsync();
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == nameof(PlanMove) ? hold.Task : ConfirmAsync(plane, name);

        var first = (await AskAsync(plane, "ch1", "n2")).Read<OperationAccepted>();
        var second = (await AskAsync(plane, "ch1", "n2")).Read<OperationAccepted>();
        hold.SetResult();

        Assert.Equal(first, second);
        await ForcedPromotionTests.FinishedAsync(plane, first.OperationId);
        Assert.Equal(1, plane.Engine.Runs(nameof(PlanMove)));
    }

    [Theory]
    [InlineData(nameof(PlanMove), false)]
    [InlineData(nameof(PlanMove), true)]
    [InlineData(nameof(OpenMoved), false)]
    [InlineData(nameof(OpenMoved), true)]
    [InlineData(nameof(ConfirmMoved), true)]
    [InlineData(nameof(ReportSwitchover), false)]
    [InlineData(nameof(ReportSwitchover), true)]
    [InlineData("FinishOperation", false)]
    public async Task Lost_at_any_step_the_next_attempt_ends_the_same(string activity, bool after)
    {
        await using var plane = await StartAsync();
        plane.Engine.LoseAt = new Loss(activity, after);

        var id = (await AskAsync(plane, "ch1", "n2")).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        await plane.SweepAsync();
        await ForcedPromotionTests.FinishedAsync(plane, id);

        Assert.Equal(OperationStatus.Succeeded, (await plane.Operations.ReadAsync(id, default))!.Status);
        Assert.Equal(("n2", 2L), ((await plane.StateAsync()).Channels["ch1"].Leader, (await plane.StateAsync()).Channels["ch1"].Term));
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Moved);
    }

    [Fact]
    public async Task A_crash_between_the_state_and_its_note_moves_nothing_twice()
    {
        await using var plane = await StartAsync();
        var lost = false;
        plane.Storage.Refuse = call => call == "POST Operations" && plane.States.ReadAsync(default).Result.State.Channels["ch1"].Leader == "n2" && !lost && (lost = true) ? 400 : null;

        var id = (await AskAsync(plane, "ch1", "n2")).Read<OperationAccepted>().OperationId;
        await ForcedPromotionTests.FinishedAsync(plane, id);

        Assert.True(lost);
        Assert.Equal(("n2", 2L), ((await plane.StateAsync()).Channels["ch1"].Leader, (await plane.StateAsync()).Channels["ch1"].Term));
        Assert.Single(plane.Nodes[1].Of("open-many"));
    }

    [Theory]
    [InlineData(nameof(OpenMoved))]
    [InlineData(nameof(ConfirmMoved))]
    public async Task A_failover_in_the_middle_wins(string before)
    {
        await using var plane = await StartAsync();
        await plane.AddNodeAsync("n3");
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == before)
            {
                await plane.HandleAsync(UrgentQueue.Report("n2"));
            }

            await ConfirmAsync(plane, name);
        };

        var operation = await AskAndWaitAsync(plane, "ch1", "n2");

        Assert.Equal((OperationStatus.Failed, "Conflict"), (operation.Status, operation.Error!.Code));
        var after = await plane.StateAsync();
        Assert.NotEqual("n2", after.Channels["ch1"].Leader);
        Assert.Equal(3, after.Channels["ch1"].Term);
    }

    [Fact]
    public async Task A_leader_that_never_says_that_it_leads_is_waited_for_a_minute_and_the_operation_says_so()
    {
        await using var plane = await StartAsync();
        plane.Engine.BeforeActivity = null;

        var operation = await AskAndWaitAsync(plane, "ch1", "n2");

        Assert.Equal((OperationStatus.Failed, "Unavailable"), (operation.Status, operation.Error!.Code));
        Assert.Contains("ch1 on n2 at term 2", operation.Error.Detail, StringComparison.Ordinal);
        Assert.InRange(plane.Engine.Runs(nameof(ConfirmMoved)), 20, 60);
    }

    [Theory]
    [InlineData("nothing", "n2", 404)]
    [InlineData("ch1", "nobody", 404)]
    [InlineData("ch1", "", 400)]
    [InlineData("ch1", null, 400)]
    public async Task What_the_cluster_does_not_have_is_refused_at_once(string channel, string? to, int status)
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        Assert.Equal(status, (await AskAsync(plane, channel, to)).Status);

        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
        Assert.Empty(plane.Engine.InstanceIds);
    }

    [Theory]
    [InlineData("failed")]
    [InlineData("draining")]
    [InlineData("silent")]
    public async Task A_node_that_is_not_there_is_no_target(string how)
    {
        await using var plane = await StartAsync();
        switch (how)
        {
            case "failed":
                await plane.HandleAsync(UrgentQueue.Report("n2"));
                break;
            case "draining":
                await plane.States.UpdateAsync(s => Core.Cluster.Switchover.Drain(s, "n2").State, default);
                break;
            default:
                plane.Time.Advance(TimeSpan.FromSeconds(3));
                break;
        }

        var answer = await AskAsync(plane, "ch1", "n2");

        Assert.Equal((409, "Conflict"), (answer.Status, answer.Problem.Code));
    }

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.AddNodeAsync("n1");
        await plane.AddNodeAsync("n2");
        var created = await plane.CallAsync<Functions.Channels.ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(2), ("name", "ch1"));
        Assert.Equal("n1", created.Read<ChannelView>().Leader);
        plane.ClearCalls();
        plane.Engine.BeforeActivity = name => ConfirmAsync(plane, name);
        return plane;
    }

    // The nodes go on beating.
    private static Task ConfirmAsync(ControlPlane plane, string activity) => activity == nameof(ConfirmMoved) ? plane.BeatAllAsync() : Task.CompletedTask;

    private static Task<Answer> AskAsync(ControlPlane plane, string channel, string? to) =>
        plane.CallAsync<ChannelMove>((f, r) => f.RunAsync(r, plane.Engine, default), new MoveChannelRequest(to), ("name", channel));

    private static async Task<Operation> MoveAsync(ControlPlane plane, string channel, string to)
    {
        var operation = await AskAndWaitAsync(plane, channel, to);
        Assert.Null(operation.Error);
        return operation;
    }

    private static async Task<Operation> AskAndWaitAsync(ControlPlane plane, string channel, string to)
    {
        var answer = await AskAsync(plane, channel, to);
        Assert.Equal(202, answer.Status);
        var id = answer.Read<OperationAccepted>().OperationId;
        await ForcedPromotionTests.FinishedAsync(plane, id);
        return (await plane.Operations.ReadAsync(id, default))!;
    }
}
