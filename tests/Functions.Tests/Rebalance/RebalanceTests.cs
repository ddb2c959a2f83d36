using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Functions.Operations;
using Baton.Functions.Rebalance;
using Baton.Functions.Switchover;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.Failover;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Functions.Tests.Recovery;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Rebalance;

/// <summary><c>POST /api/rebalance</c>, <c>DELETE /api/rebalance</c>, and who starts it besides.</summary>
public sealed class RebalanceTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_dry_run_says_what_would_move_and_changes_nothing()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        var answer = await AskAsync(plane, dryRun: true);

        Assert.Equal(200, answer.Status);
        var view = answer.Read<RebalanceView>();
        Assert.Equal(4, view.Moves.Replicas.Count);
        Assert.All(view.Moves.Replicas, m => Assert.Equal("n3", m.To));
        Assert.Equal(2, view.Moves.Leaders.Count);
        Assert.Equal(["n1 3 2 6 4", "n2 3 2 6 4", "n3 0 2 0 4"], view.Nodes.Select(n => $"{n.NodeId} {n.Leads.Before} {n.Leads.After} {n.Copies.Before} {n.Copies.After}"), StringComparer.Ordinal);
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
        Assert.Empty(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task A_new_node_gets_its_share_of_copies_first_and_leads_what_it_has_in_sync()
    {
        await using var plane = await StartAsync();

        var operation = await RebalanceAsync(plane);

        Assert.Equal((OperationStatus.Succeeded, null), (operation.Status, operation.Error));
        Assert.Equal(["Plan", "Copies", "Leaders", "Open", "Confirm", "Report"], operation.Steps.Select(s => s.Name), StringComparer.Ordinal);
        await AssertBalancedAsync(plane);
        Assert.NotEmpty(plane.Nodes[2].Of("open-many"));
        var entry = Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Rebalanced);
        Assert.Equal("4 copies and 2 leaderships were to move; left are 0 and 0.", entry.Summary);

        // Another time there is nothing to do, and nothing is written.
        var version = (await plane.StateAsync()).Version;
        Assert.Equal(OperationStatus.Succeeded, (await RebalanceAsync(plane)).Status);
        Assert.Equal(version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task Nothing_is_moved_twice_where_every_activity_runs_twice()
    {
        await using var plane = await StartAsync();
        plane.Engine.RunsEachTwice = true;

        Assert.Equal(OperationStatus.Succeeded, (await RebalanceAsync(plane)).Status);

        await AssertBalancedAsync(plane);
        Assert.Equal(8, (await plane.StateAsync()).Channels.Values.Sum(c => c.Term));
    }

    [Theory]
    [InlineData(nameof(PlanRebalance), true)]
    [InlineData(nameof(MoveCopies), false)]
    [InlineData(nameof(MoveCopies), true)]
    [InlineData(nameof(MoveLeaders), false)]
    [InlineData(nameof(MoveLeaders), true)]
    [InlineData(nameof(OpenMoved), true)]
    [InlineData(nameof(ConfirmMoved), true)]
    [InlineData(nameof(ReportRebalance), true)]
    [InlineData("FinishOperation", false)]
    public async Task Lost_at_any_step_the_next_attempt_ends_the_same(string activity, bool after)
    {
        await using var plane = await StartAsync();
        plane.Engine.LoseAt = new Loss(activity, after);

        Assert.Equal(202, (await AskAsync(plane)).Status);
        await plane.Engine.EndOfAsync("rebalance-1");
        await plane.SweepAsync();
        await ForcedPromotionTests.FinishedAsync(plane, "rebalance");

        Assert.Equal(OperationStatus.Succeeded, (await plane.Operations.ReadAsync("rebalance", default))!.Status);
        await AssertBalancedAsync(plane);
        Assert.Equal(8, (await plane.StateAsync()).Channels.Values.Sum(c => c.Term));
        Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Rebalanced);
    }

    [Fact]
    public async Task A_crash_between_new_leaders_and_their_note_moves_no_more_than_was_left()
    {
        await using var plane = await StartAsync();
        var lost = false;
        plane.Storage.Refuse = call => call == "POST Operations" && !lost && plane.States.ReadAsync(default).Result.State.Channels.Values.Any(c => c.Leader == "n3") && (lost = true) ? 400 : null;

        Assert.Equal(OperationStatus.Succeeded, (await RebalanceAsync(plane)).Status);

        Assert.True(lost);
        Assert.Equal(8, (await plane.StateAsync()).Channels.Values.Sum(c => c.Term));
    }

    [Fact]
    public async Task While_it_runs_it_is_joined()
    {
        await using var plane = await StartAsync();
        var hold = new TaskCompletionSource();
        plane.Engine.BeforeActivity = name => name == nameof(PlanRebalance) ? hold.Task : GoOnAsync(plane, name);

        var first = (await AskAsync(plane)).Read<OperationAccepted>();
        var second = (await AskAsync(plane)).Read<OperationAccepted>();
        hold.SetResult();

        Assert.Equal(first, second);
        await ForcedPromotionTests.FinishedAsync(plane, first.OperationId);
        Assert.Equal(1, plane.Engine.Runs(nameof(PlanRebalance)));
    }

    [Fact]
    public async Task No_more_channels_are_under_way_than_sixteen()
    {
        await using var plane = await StartAsync(channels: 60);
        var most = 0;
        plane.Engine.BeforeActivity = async name =>
        {
            most = Math.Max(most, LeavingCopies.UnderWay(await plane.StateAsync()).Count);
            await GoOnAsync(plane, name);
        };

        Assert.Equal(OperationStatus.Succeeded, (await RebalanceAsync(plane)).Status);

        Assert.Equal(MoveCopies.AtOnce, most);
        await AssertBalancedAsync(plane);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cancelled_it_takes_back_what_has_not_arrived_and_leaves_what_has(bool arrived)
    {
        await using var plane = await StartAsync();
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == nameof(MoveCopies) && LeavingCopies.UnderWay(await plane.StateAsync()).Count > 0)
            {
                Assert.Equal(202, (await CancelAsync(plane)).Status);
                if (arrived)
                {
                    await plane.ChangeChannelsAsync(InSync);
                }
            }

            await plane.BeatAllAsync();
        };

        var operation = await RebalanceAsync(plane);

        Assert.Equal((OperationStatus.Failed, "Conflict"), (operation.Status, operation.Error!.Code));
        Assert.Contains("cancelled", operation.Error.Detail, StringComparison.Ordinal);
        var state = await plane.StateAsync();
        Assert.Empty(LeavingCopies.UnderWay(state));
        Assert.Equal(arrived ? 4 : 0, RebalancePlanner.Copies(state)["n3"]);
        Assert.All(state.Channels.Values, c => Assert.Single(c.Replicas));
        Assert.Equal(404, (await CancelAsync(plane)).Status);

        // The next one is another run, and not cancelled.
        plane.Engine.BeforeActivity = name => GoOnAsync(plane, name);
        Assert.Equal(OperationStatus.Succeeded, (await RebalanceAsync(plane)).Status);
        await AssertBalancedAsync(plane);
    }

    [Theory]
    [InlineData(nameof(MoveCopies), "n3")]
    [InlineData(nameof(MoveCopies), "n1")]
    [InlineData(nameof(OpenMoved), "n3")]
    [InlineData(nameof(ConfirmMoved), "n3")]
    public async Task A_failover_in_the_middle_wins_and_the_rest_is_planned_anew(string before, string failing)
    {
        await using var plane = await StartAsync();
        var failed = false;
        plane.Engine.BeforeActivity = async name =>
        {
            await GoOnAsync(plane, name);
            if (name == before && !failed && (name != nameof(MoveCopies) || LeavingCopies.UnderWay(await plane.StateAsync()).Count > 0))
            {
                failed = true;
                await plane.HandleAsync(UrgentQueue.Report(failing));
            }
        };

        var operation = await RebalanceAsync(plane);

        Assert.True(failed);
        Assert.Equal((OperationStatus.Succeeded, null), (operation.Status, operation.Error));
        var state = await plane.StateAsync();
        Assert.All(state.Channels.Values, c => Assert.NotEqual(failing, c.Leader));
        Assert.Empty(LeavingCopies.UnderWay(state));
        Assert.True(RebalancePlanner.Plan(state).IsEmpty);
    }

    [Fact]
    public async Task Copies_that_never_come_in_sync_are_waited_for_ten_minutes_and_then_taken_back()
    {
        await using var plane = await StartAsync();
        plane.Engine.Timers = Timers.WhenIdle;
        plane.Engine.BeforeActivity = _ => plane.BeatAllAsync();

        var operation = await RebalanceAsync(plane);

        Assert.Equal((OperationStatus.Failed, "Unavailable"), (operation.Status, operation.Error!.Code));
        Assert.Contains("For 10 min no further copy", operation.Error.Detail, StringComparison.Ordinal);
        var state = await plane.StateAsync();
        Assert.Equal(0, RebalancePlanner.Copies(state)["n3"]);
        Assert.Empty(LeavingCopies.UnderWay(state));
    }

    [Fact]
    public async Task Given_up_it_leaves_no_marks_behind()
    {
        await using var plane = await StartAsync();
        plane.Engine.LoseAt = new Loss(nameof(MoveCopies), After: true);
        await AskAsync(plane);
        await plane.Engine.EndOfAsync("rebalance-1");
        Assert.Equal(4, LeavingCopies.UnderWay(await plane.StateAsync()).Count);
        for (var head = await HeadAsync(plane); head.Attempt < OperationSweep.MaxAttempts; head = await HeadAsync(plane))
        {
            await plane.Operations.NextAttemptAsync(head, "of the test", default);
        }

        plane.Time.Advance(OperationSweep.StartGrace);
        await plane.SweepAsync();

        Assert.Equal(OperationStatus.Failed, (await HeadAsync(plane)).Status);
        Assert.Empty(LeavingCopies.UnderWay(await plane.StateAsync()));
    }

    [Fact]
    public async Task It_begins_by_itself_once_after_the_last_change_of_members()
    {
        await using var plane = await StartAsync(settings: [("Placement:RebalanceDelayMs", "60000")]);
        await plane.SweepRecoveriesAsync();
        plane.Time.Advance(TimeSpan.FromSeconds(59));
        await plane.BeatAllAsync();
        await plane.SweepRecoveriesAsync();
        Assert.Null(await plane.Operations.ReadHeadAsync("rebalance", default));

        // A node that restarts puts it off.
        Assert.Equal(200, (await plane.JoinAsync("n3", plane.Nodes[2].Endpoint, "again")).Status);
        await plane.SweepRecoveriesAsync();
        plane.Time.Advance(TimeSpan.FromSeconds(59));
        await plane.BeatAllAsync();
        await plane.SweepRecoveriesAsync();
        Assert.Null(await plane.Operations.ReadHeadAsync("rebalance", default));
        plane.Time.Advance(TimeSpan.FromSeconds(1));
        await plane.BeatAllAsync();
        await plane.SweepRecoveriesAsync();
        await ForcedPromotionTests.FinishedAsync(plane, "rebalance");
        await AssertBalancedAsync(plane);

        // What an operator moves afterwards stays, also when another process looks.
        var channel = (await plane.StateAsync()).Channels.First(c => c.Value.Leader == "n1").Key;
        await plane.States.UpdateAsync(s => Core.Cluster.Switchover.Move(s, channel, s.Channels[channel].Replicas[0].NodeId).State, default);
        await using var other = await ControlPlane.StartAsync(plane.Account);
        await other.SweepRecoveriesAsync();
        other.Time.Advance(TimeSpan.FromMinutes(11));
        await other.SweepRecoveriesAsync();
        Assert.Equal(1, (await HeadAsync(plane)).Requests);
        Assert.Equal(1, (await HeadAsync(plane)).Attempt);
    }

    [Fact]
    public async Task While_a_copy_is_not_in_sync_it_does_not_begin_by_itself_unless_that_lasts()
    {
        await using var plane = await StartAsync();
        await plane.ChangeChannelsAsync(c => c with { Replicas = [.. c.Replicas.Select(r => r with { State = ReplicaProgress.CatchingUp })] });
        await plane.SweepRecoveriesAsync();
        plane.Time.Advance(TimeSpan.FromMinutes(9));
        await plane.SweepRecoveriesAsync();
        Assert.Null(await plane.Operations.ReadHeadAsync("rebalance", default));

        plane.Time.Advance(TimeSpan.FromMinutes(1));
        await plane.SweepRecoveriesAsync();
        Assert.NotNull(await plane.Operations.ReadHeadAsync("rebalance", default));
    }

    [Fact]
    public async Task Switched_off_it_does_not_begin_by_itself()
    {
        await using var plane = await StartAsync(settings: [("Placement:AutoRebalance", "false")]);
        await plane.SweepRecoveriesAsync();
        plane.Time.Advance(TimeSpan.FromMinutes(11));
        await plane.SweepRecoveriesAsync();

        Assert.Null(await plane.Operations.ReadHeadAsync("rebalance", default));
    }

    // n1 and n2 lead half of the channels each, with a copy on the other; n3 is new.
    private async Task<ControlPlane> StartAsync(int channels = 6, params (string Name, string Value)[] settings)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, [("Placement:LeaderPolicy", "Spread"), .. settings]);
        foreach (var node in (string[])["n1", "n2", "n3"])
        {
            await plane.AddNodeAsync(node);
        }

        await plane.States.UpdateAsync(
            s => s with
            {
                Version = s.Version + 1,
                Channels = Enumerable.Range(0, channels).ToDictionary(
                    i => $"ch{i:D2}",
                    i => new ChannelState(i % 2 == 0 ? "n1" : "n2", 1, 2, [new ReplicaState(i % 2 == 0 ? "n2" : "n1", ReplicaMode.Sync, ReplicaProgress.InSync, 5)], i),
                    StringComparer.Ordinal),
            },
            default);
        plane.ClearCalls();
        plane.Engine.BeforeActivity = name => GoOnAsync(plane, name);
        return plane;
    }

    // The nodes go on beating, and whatever they were given comes in sync.
    private static async Task GoOnAsync(ControlPlane plane, string activity)
    {
        await plane.BeatAllAsync();
        if (activity == nameof(MoveCopies) && LeavingCopies.UnderWay(await plane.StateAsync()).Count > 0)
        {
            await plane.ChangeChannelsAsync(InSync);
        }
    }

    private static ChannelState InSync(ChannelState channel) => channel.Replicas.Any(r => r.Leaving)
        ? channel with { Replicas = [.. channel.Replicas.Select(r => r with { State = ReplicaProgress.InSync })] }
        : channel;

    private static Task<Answer> AskAsync(ControlPlane plane, bool dryRun = false) =>
        plane.CallAsync<RebalanceStart>((f, r) => f.RunAsync(r, plane.Engine, default), new RebalanceRequest(dryRun));

    private static Task<Answer> CancelAsync(ControlPlane plane) => plane.CallAsync<RebalanceCancel>((f, r) => f.RunAsync(r, default));

    private static async Task<OperationHead> HeadAsync(ControlPlane plane) => (await plane.Operations.ReadHeadAsync("rebalance", default))!;

    private static async Task<Operation> RebalanceAsync(ControlPlane plane)
    {
        Assert.Equal(202, (await AskAsync(plane)).Status);
        await ForcedPromotionTests.FinishedAsync(plane, "rebalance");
        return (await plane.Operations.ReadAsync("rebalance", default))!;
    }

    private static async Task AssertBalancedAsync(ControlPlane plane)
    {
        var state = await plane.StateAsync();
        Assert.Empty(LeavingCopies.UnderWay(state));
        Assert.Single(RebalancePlanner.Copies(state).Values.Distinct());
        Assert.InRange(RebalancePlanner.Leads(state).Values.Max() - RebalancePlanner.Leads(state).Values.Min(), 0, 1);
        Assert.All(state.PChannels.Select(p => p.Value), c => Assert.Single(c.Replicas));
    }
}
