using System.Text;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

public sealed class UrgentFailoverTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_failover_is_one_read_one_conditional_write_one_open_per_leader_and_one_routine_message()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        await plane.Nodes[0].KillAsync();
        plane.ClearCalls();

        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.Equal(["GET ClusterState", "PUT ClusterState"], plane.Storage.Calls);
        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 1, after.Version);
        Assert.True(after.Nodes["n1"].Failed);
        var moved = before.Channels.Where(c => c.Value.Leader == "n1").Select(c => c.Key).ToList();
        Assert.NotEmpty(moved);
        Assert.All(moved, c => Assert.Equal(("n2", before.Channels[c].Term + 1), (after.Channels[c].Leader, after.Channels[c].Term)));
        var call = Assert.Single(plane.Nodes[1].Calls);
        Assert.Equal("open-many", call.Verb);
        Assert.Equal(moved.Select(c => new ChannelAtTerm(c, after.Channels[c].Term)), call.Many!);
        Assert.Null(outputs.DeadLetter);
        Assert.Equal("n1", UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Scope!.NodeId);
    }

    [Fact]
    public async Task A_repeated_event_writes_nothing_and_calls_nobody()
    {
        await using var plane = await StartAsync();
        var report = UrgentQueue.Report("n1");
        await plane.HandleAsync(report);
        var once = await plane.StateAsync();
        plane.ClearCalls();

        var outputs = await plane.HandleAsync(report);

        Assert.Equal(["GET ClusterState"], plane.Storage.Calls);
        Assert.Empty(plane.Nodes[1].Calls);
        Assert.Equal(once.Version, (await plane.StateAsync()).Version);

        // Sent again: the first delivery may have died before it was.
        Assert.NotNull(outputs.Reconcile);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"eventId\":\"e\"}")]
    [InlineData("{\"eventId\":\"e\",\"nodeId\":\"nobody\",\"reason\":\"r\",\"observedAt\":\"2026-01-02T03:04:05Z\"}")]
    public async Task A_body_that_nobody_can_act_on_goes_to_the_dead_letters_at_once_with_its_reason(string body)
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();

        var outputs = await plane.HandleAsync(Encoding.UTF8.GetBytes(body));

        Assert.Null(outputs.Reconcile);
        var letter = UrgentQueue.Json<DeadLetter>(outputs.DeadLetter!);
        Assert.Equal((FailoverQueues.Urgent, body), (letter.Queue, Encoding.UTF8.GetString(Convert.FromBase64String(letter.BodyBase64))));
        Assert.NotEmpty(letter.Reason);
        Assert.Contains(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.DeadLetter);
        Assert.Equal(before.Version, (await plane.StateAsync()).Version);
    }

    [Fact]
    public async Task A_report_about_an_older_incarnation_is_void()
    {
        await using var plane = await StartAsync();
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        await plane.JoinAsync("n1", plane.Nodes[0].Endpoint);
        var rejoined = await plane.StateAsync();

        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1") with { Incarnation = 1, ObservedBy = HeartbeatSweep.Observer });

        Assert.Equal(rejoined.Version, (await plane.StateAsync()).Version);
        Assert.Equal((null, null), (outputs.Reconcile, outputs.DeadLetter));
    }

    [Fact]
    public async Task The_cooldown_holds_suspicions_back_but_never_the_sweep_or_an_operator()
    {
        await using var plane = await StartAsync();
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        await plane.JoinAsync("n1", plane.Nodes[0].Endpoint);

        await plane.HandleAsync(UrgentQueue.Report("n1"));
        Assert.False((await plane.StateAsync()).Nodes["n1"].Failed);

        await plane.HandleAsync(UrgentQueue.Report("n1") with { ObservedBy = HeartbeatSweep.Observer });
        Assert.True((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    [Fact]
    public async Task A_new_leader_that_does_not_answer_costs_no_more_than_the_one_deadline()
    {
        await using var plane = await StartAsync(("Failover:OpenTimeoutMs", "50"));
        var silence = new TaskCompletionSource<ApiError?>();
        plane.Nodes[1].Intercept = _ => silence.Task;

        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1")).WaitAsync(TimeSpan.FromSeconds(120));
        silence.SetResult(null);

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
        var open = UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Steps.Single(s => s.Name == "Open");
        Assert.Contains("could not be told", open.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_race_is_planned_again_once_on_what_the_winner_wrote()
    {
        await using var plane = await StartAsync();
        await plane.AddNodeAsync("n3");
        var raced = false;
        plane.Storage.Before = async call =>
        {
            if (call == "PUT ClusterState" && !raced)
            {
                raced = true;
                await plane.States.UpdateAsync(s => ClusterMembership.Join(s, "n4", new Uri("http://127.0.0.1:9/"), null, null).State, default);
            }
        };

        await plane.HandleAsync(UrgentQueue.Report("n1"));

        var after = await plane.StateAsync();
        Assert.True(after.Nodes.ContainsKey("n4"));
        Assert.DoesNotContain(after.Channels.Values, c => c.Leader == "n1");
    }

    [Theory]
    [InlineData("PreferCoordinator", "n3")]
    [InlineData("Spread", "n2")]
    public async Task Among_equals_the_policy_decides_who_leads(string policy, string leader)
    {
        await using var plane = await StartAsync(("Placement:LeaderPolicy", policy));
        await plane.AddNodeAsync("n3");
        await plane.States.UpdateAsync(
            s => s with
            {
                Version = s.Version + 1,
                Channels = new Dictionary<string, ChannelState>(StringComparer.Ordinal)
                {
                    [MetadataChannel.Name] = new("n3", 1, 1, [], 0),
                    ["ch1"] = new("n1", 1, 1, [], 1),
                },
            },
            default);

        await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.Equal(leader, (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task The_failover_is_on_the_timeline_once_its_routine_message_is_handled()
    {
        await using var plane = await StartAsync();
        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1"));
        Assert.DoesNotContain(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Failover);

        await plane.RunAsync<RoutineReconcile, RoutineReconcileOutputs>(f => f.RunAsync(Encoding.UTF8.GetBytes(outputs.Reconcile!), plane.Engine, default));
        await plane.RunAsync<RoutineReconcile, RoutineReconcileOutputs>(f => f.RunAsync(Encoding.UTF8.GetBytes(outputs.Reconcile!), plane.Engine, default));

        var entry = Assert.Single(await plane.TimelineAsync(), e => e.Kind == TimelineKinds.Failover);
        Assert.Equal(["Queue", "Read", "Plan", "Write", "Open"], entry.Steps!.Select(s => s.Name), StringComparer.Ordinal);
    }

    private async Task<ControlPlane> StartAsync(params (string Name, string Value)[] settings)
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, settings);
        await plane.WithTwoNodesAsync();
        return plane;
    }
}
