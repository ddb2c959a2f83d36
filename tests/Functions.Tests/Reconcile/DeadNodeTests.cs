using Baton.Core.Api;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Reconcile;

/// <summary>Nodes that beat, as far as anybody knows, and do not answer. The clock stands still in these tests, so what is waited for is seen, and not how fast it was.</summary>
public sealed class DeadNodeTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly TimeSpan ProbeTimeout = ReconcileOptions.Default.ProbeTimeout;

    [Fact]
    public async Task TRAP9_Nodes_that_answer_are_done_while_the_other_half_swallows_everything_and_the_next_pass_calls_none_of_these()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), logs: null, ("Reconcile:NodeTimeoutMs", "60000"));
        using var silent1 = BlackHole.ThatAccepts();
        using var silent2 = BlackHole.ThatAccepts();
        using var deaf1 = await BlackHole.ThatDropsAsync();
        using var deaf2 = await BlackHole.ThatDropsAsync();
        plane.Time.Stop();
        foreach (var id in (string[])["n1", "n2", "n3", "n4"])
        {
            await plane.AddNodeAsync(id);
            await plane.AddChannelAsync($"ch-{id}");
        }

        await plane.JoinAsync("h1", silent1.Endpoint);
        await plane.JoinAsync("h2", silent2.Endpoint);
        await plane.JoinAsync("h3", deaf1.Endpoint);
        await plane.JoinAsync("h4", deaf2.Endpoint);
        plane.ForgetCalls();
        var waitingBefore = plane.Time.Waiting;

        await plane.AskAsync();

        // No time has passed: every dead node is being waited for, each for its probe and its limit, and everybody else is done.
        await Until.TrueAsync(() => Task.FromResult(plane.Nodes.All(n => n.Of("open-many").Count == 1)));
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(RepairReplicas)) == 1));
        await Until.TrueAsync(() => Task.FromResult(plane.Time.Waiting - waitingBefore == 2 * 4));
        Assert.Equal(0, plane.Engine.Runs(nameof(ReconcileNodes)));
        Assert.All((BlackHole[])[silent1, silent2], h => Assert.True(h.Accepted <= 1));

        await plane.PassIsOverAsync(meanwhile: () => plane.Time.AdvanceToNextTimer(ProbeTimeout));

        // Probed until the circuit opened, and not once more. A probe's time may be over before its connection is there.
        Assert.All((BlackHole[])[silent1, silent2], h => Assert.True(h.Accepted <= 3));
        var circuits = await plane.Get<CircuitStore>().ReadAllAsync(default);
        Assert.Equal(["h1", "h2", "h3", "h4"], circuits.Keys.Order(StringComparer.Ordinal));
        Assert.All(circuits.Values, c => Assert.Equal(TimeSpan.FromSeconds(5), c.OpenFor));
        Assert.Contains("Reconciled: 4 nodes", (await plane.PassesAsync())[0].Summary, StringComparison.Ordinal);

        // Everything is known: the next pass needs no time at all.
        await plane.BeatAsync();
        foreach (var hole in (string[])["h1", "h2", "h3", "h4"])
        {
            await plane.Get<HeartbeatStore>().WriteAsync(hole, [], default);
        }

        var second = await plane.PassAsync();
        Assert.Contains("skipped: h1 (its circuit is open); h2 (its circuit is open); h3 (its circuit is open); h4 (its circuit is open)", second.Summary, StringComparison.Ordinal);
        Assert.All((BlackHole[])[silent1, silent2], h => Assert.True(h.Accepted <= 3));
    }

    [Fact]
    public async Task An_open_circuit_lets_one_probe_through_when_its_time_is_over_opens_for_twice_as_long_if_that_fails_and_closes_if_it_succeeds()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), logs: null, ("Failover:HeartbeatTimeoutMs", "600000"));
        plane.Time.Stop();
        var node = await plane.AddNodeAsync("n1");
        var never = new TaskCompletionSource<ApiError?>();
        node.Intercept = call => call.Verb == "health" ? never.Task : Task.FromResult<ApiError?>(null);

        // Three failures opened it. The node has seen three probes at most: the time of one may be over while it is still on its way.
        await PassOverAsync(plane);
        Assert.Equal(TimeSpan.FromSeconds(5), (await plane.Get<CircuitStore>().ReadAllAsync(default))["n1"].OpenFor);
        Assert.True(node.Of("health").Count <= 3);

        plane.Time.Advance(TimeSpan.FromSeconds(2));
        await PassOverAsync(plane);
        Assert.True(node.Of("health").Count <= 3);

        // One more opens it for twice as long; two would have done so twice.
        plane.Time.Advance(TimeSpan.FromSeconds(5));
        await PassOverAsync(plane);
        Assert.True(node.Of("health").Count <= 4);
        Assert.Equal(TimeSpan.FromSeconds(10), (await plane.Get<CircuitStore>().ReadAllAsync(default))["n1"].OpenFor);

        plane.Time.Advance(TimeSpan.FromSeconds(12));
        node.Intercept = _ => Task.FromResult<ApiError?>(null);
        var before = node.Of("health").Count;
        await plane.PassAsync();
        Assert.Equal(before + 1, node.Of("health").Count);
        Assert.Empty(await plane.Get<CircuitStore>().ReadAllAsync(default));
        never.SetResult(null);
    }

    [Fact]
    public async Task Of_two_instances_that_find_a_half_open_circuit_one_gets_the_call()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        plane.Time.Stop();
        var circuits = plane.Get<CircuitStore>();
        var opened = plane.Time.GetUtcNow();
        await circuits.UpdateAsync("n1", c => c.Failed(opened).Failed(opened).Failed(opened), default);
        Assert.Null(await circuits.TryBeginAsync("n1", opened, default));

        var read = new CountdownEvent(2);
        var both = new TaskCompletionSource();
        plane.Storage.Before = call =>
        {
            if (call == "GET Nodes" || read.IsSet)
            {
                return Task.CompletedTask;
            }

            // The first write waits until the other has read as well.
            if (read.Signal())
            {
                both.SetResult();
            }

            return both.Task;
        };
        var halfOpen = opened + TimeSpan.FromSeconds(5);
        var answers = await Task.WhenAll(circuits.TryBeginAsync("n1", halfOpen, default), circuits.TryBeginAsync("n1", halfOpen, default)).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Single(answers, a => a is not null);
        read.Dispose();
    }

    private static async Task PassOverAsync(ControlPlane plane)
    {
        var before = (await plane.PassesAsync()).Count;
        await plane.AskAsync();

        // The operation of the pass before may still be what is read.
        await Until.TrueAsync(async () =>
        {
            plane.Time.AdvanceToNextTimer(ProbeTimeout);
            return (await plane.PassesAsync()).Count > before;
        });
        await plane.PassIsOverAsync(meanwhile: () => plane.Time.AdvanceToNextTimer(ProbeTimeout));
    }
}
