using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Failover;

/// <summary>Mistakes that others have made with failovers.</summary>
public sealed class TrapTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task TRAP1_A_failed_node_that_swallows_everything_is_never_called()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("Failover:OpenTimeoutMs", "50"));
        using var hole = new BlackHole();
        await plane.JoinAsync("n1", hole.Endpoint);
        await plane.AddChannelAsync("ch1");
        await plane.AddNodeAsync("n2");
        hole.Clear();

        await plane.HandleAsync(UrgentQueue.Report("n1")).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
        Assert.False(hole.WasCalled);
    }

    [Fact]
    public async Task TRAP1_A_new_leader_that_swallows_everything_costs_the_one_deadline_and_the_others_are_told()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("Failover:OpenTimeoutMs", "3000"), ("Placement:LeaderPolicy", "Spread"));
        using var hole = new BlackHole();
        var n1 = await plane.AddNodeAsync("n1");
        foreach (var channel in (string[])["ch1", "ch2", "ch3"])
        {
            await plane.AddChannelAsync(channel);
        }

        await plane.JoinAsync("n2", hole.Endpoint);
        var n3 = await plane.AddNodeAsync("n3");
        await n1.KillAsync();

        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1")).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal(2, Assert.Single(n3.Calls).Many!.Count);
        Assert.True(hole.WasCalled);
        Assert.Contains("1 new leaders could not be told", UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Steps.Single(s => s.Name == "Open").Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void TRAP2_The_urgent_queue_has_one_function_of_its_own_and_what_may_wait_goes_to_the_other()
    {
        var byQueue = FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly).Functions
            .Where(f => f.Trigger is ServiceBusTriggerAttribute)
            .ToLookup(f => ((ServiceBusTriggerAttribute)f.Trigger).QueueName, f => f.Name, StringComparer.Ordinal);

        Assert.Equal(["UrgentFailover"], byQueue[FailoverQueues.Urgent], StringComparer.Ordinal);
        Assert.Equal(["RoutineReconcile"], byQueue[FailoverQueues.Routine], StringComparer.Ordinal);

        // Nor does it take part in anything that another function could hold: no lock, no operation, no engine.
        var needs = Needs(typeof(UrgentFailover)).Concat(Needs(typeof(FastPath))).Concat(Needs(typeof(NodeFailover))).Concat(Needs(typeof(OpenHints))).Select(t => t.Name).ToList();
        Assert.DoesNotContain(needs, n => n.Contains("Lock", StringComparison.Ordinal) || n.Contains("Operation", StringComparison.Ordinal) || n.Contains("Starter", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TRAP3_The_write_waits_for_no_batch_and_no_timer()
    {
        // At a time that stands still, whatever waits would wait for ever.
        await using var plane = await ControlPlane.StartAtAsync(azurite.NewAccount(), new Baton.Storage.Tests.Wal.ManualTime());
        await plane.WithTwoNodesAsync();

        await plane.HandleAsync(UrgentQueue.Report("n1")).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task TRAP4_A_node_that_is_killed_restarted_and_killed_again_is_never_held_back()
    {
        await using var plane = await StartAsync();
        for (var life = 1; life <= 5; life++)
        {
            Assert.Equal(200, (await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, $"process-{life}")).Status);
            await plane.HandleAsync(UrgentQueue.Report("n1"));
            Assert.True((await plane.StateAsync()).Nodes["n1"].Failed, $"life {life}");
        }
    }

    [Fact]
    public async Task TRAP4_A_healthy_leader_that_is_reported_a_hundred_times_is_moved_away_from_once_in_a_cooldown()
    {
        await using var plane = await StartAsync();
        await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-1");
        var failures = 0;
        for (var i = 0; i < 100; i++)
        {
            await plane.HandleAsync(UrgentQueue.Report("n1"));
            if ((await plane.StateAsync()).Nodes["n1"].Failed)
            {
                failures++;
                await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "process-1");
            }
        }

        Assert.Equal(1, failures);
        plane.Time.Advance(FailoverOptions.Default.SuspicionCooldown);
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        Assert.True((await plane.StateAsync()).Nodes["n1"].Failed);
    }

    [Fact]
    public async Task TRAP9_With_no_live_node_a_channel_is_offline_and_comes_back_by_itself_with_the_next_join()
    {
        await using var plane = await StartAsync();
        await plane.HandleAsync(UrgentQueue.Report("n1"));
        await plane.HandleAsync(UrgentQueue.Report("n2"));
        var offline = await plane.StateAsync();
        Assert.All(offline.Channels.Values, c => Assert.True(c.Offline));

        await plane.JoinAsync("n2", plane.Nodes[1].Endpoint, "process-2");

        var back = await plane.StateAsync();
        Assert.All(back.Channels, c => Assert.Equal(("n2", offline.Channels[c.Key].Term + 1), (c.Value.Leader, c.Value.Term)));
    }

    [Fact]
    public async Task TRAP9_An_operators_report_is_never_held_back()
    {
        await using var plane = await StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await plane.JoinAsync("n1", plane.Nodes[0].Endpoint, "the-same");
            await plane.HandleAsync(UrgentQueue.Report("n1") with { ObservedBy = "operator" });
            Assert.True((await plane.StateAsync()).Nodes["n1"].Failed);
        }
    }

    [Fact]
    public async Task TRAP10_A_message_that_a_dead_handler_holds_is_repeated_by_others_and_changes_nothing_when_it_comes_back()
    {
        await using var dying = await StartAsync();
        await using var plane = await ControlPlane.StartAsync(dying.Account);
        var reading = new TaskCompletionSource();
        using var death = new CancellationTokenSource();
        dying.Storage.Before = async call =>
        {
            if (call == "PUT ClusterState")
            {
                reading.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, death.Token);
            }
        };
        var held = dying.HandleAsync(UrgentQueue.Report("n1"), death.Token);
        await reading.Task.WaitAsync(TimeSpan.FromSeconds(120));

        await plane.HandleAsync(UrgentQueue.Report("n1") with { EventId = "event-2", ObservedBy = HeartbeatSweep.Observer });
        var acted = await plane.StateAsync();
        Assert.Equal("n2", acted.Channels["ch1"].Leader);
        await death.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held);

        await plane.HandleAsync(UrgentQueue.Report("n1"));
        Assert.Equal(acted.Version, (await plane.StateAsync()).Version);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task TRAP11_Two_failovers_in_quick_succession_end_with_the_node_that_lives(bool atOnce)
    {
        await using var plane = await StartAsync();
        await plane.AddNodeAsync("n3");

        var first = plane.HandleAsync(UrgentQueue.Report("n1"));
        if (!atOnce)
        {
            await first;
        }

        await Task.WhenAll(first, plane.HandleAsync(UrgentQueue.Report("n2") with { EventId = "event-2" }));

        var state = await plane.StateAsync();
        Assert.Equal((true, true), (state.Nodes["n1"].Failed, state.Nodes["n2"].Failed));
        Assert.All(state.Channels.Values, c => Assert.Equal("n3", c.Leader));
        Assert.All(state.Channels.Values, c => Assert.InRange(c.Term, 2, 3));
    }

    [Fact]
    public async Task TRAP13_When_everything_starts_at_once_each_term_of_a_channel_has_one_leader_and_none_goes_back()
    {
        const int Nodes = 6;
        await using var a = await ControlPlane.StartAsync(azurite.NewAccount(), null, ("Failover:SuspicionCooldownMs", "0"));
        await using var b = await ControlPlane.StartAsync(a.Account, null, ("Failover:SuspicionCooldownMs", "0"));
        var written = new Dictionary<long, ClusterState>();
        var gate = new Lock();
        foreach (var plane in (ControlPlane[])[a, b])
        {
            plane.States.WhenWritten(s =>
            {
                lock (gate)
                {
                    Assert.True(written.TryAdd(s.Version, s), "one version was written twice");
                }
            });
        }

        await a.JoinAsync("n0", new Uri("http://127.0.0.1:9/"));
        for (var i = 0; i < 10; i++)
        {
            await a.AddChannelAsync($"ch{i}");
        }

        await Task.WhenAll(Enumerable.Range(0, Nodes).SelectMany(n => (Task[])[StartsAsync(n), IsReportedAsync(n), SweepsAsync()]));

        var states = written.OrderBy(w => w.Key).Select(w => w.Value).ToList();
        Assert.Equal(states[^1].Version, (await a.StateAsync()).Version);
        var leaders = new Dictionary<(string, long), string>();
        foreach (var (before, after) in states.Zip(states.Skip(1)))
        {
            Assert.Equal(before.Version + 1, after.Version);
            Assert.All(before.Channels, c => Assert.True(after.Channels[c.Key].Term >= c.Value.Term));
            foreach (var (name, channel) in after.Channels.Where(c => c.Value.Leader is not null))
            {
                leaders.TryAdd((name, channel.Term), channel.Leader!);
                Assert.Equal(leaders[(name, channel.Term)], channel.Leader);
            }
        }

        async Task StartsAsync(int n)
        {
            for (var life = 0; life < 3; life++)
            {
                Assert.Equal(200, (await (life % 2 == 0 ? a : b).JoinAsync($"n{n}", new Uri("http://127.0.0.1:9/"), $"process-{life}")).Status);
                await a.BeatAsync($"n{n}", life + 1);
            }
        }

        async Task IsReportedAsync(int n)
        {
            for (var i = 0; i < 5; i++)
            {
                try
                {
                    await (i % 2 == 0 ? b : a).HandleAsync(UrgentQueue.Report($"n{n}") with { EventId = $"event-{n}-{i}" });
                }
                catch (Azure.RequestFailedException e) when (e.Status == 412)
                {
                    // Two others came first: the queue delivers it again.
                }
            }
        }

        async Task SweepsAsync()
        {
            foreach (var report in await a.SweepBeatsAsync())
            {
                await b.HandleAsync(report);
            }
        }
    }

    private static IEnumerable<Type> Needs(Type type) => type.GetConstructors(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance).SelectMany(c => c.GetParameters()).Select(p => p.ParameterType);

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        return plane;
    }

    /// <summary>A host that takes connections and says nothing.</summary>
    private sealed class BlackHole : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

        public BlackHole()
        {
            _listener.Start();
            Endpoint = new Uri($"http://{_listener.LocalEndpoint}/");
        }

        public Uri Endpoint { get; }

        public bool WasCalled => _listener.Pending();

        public void Clear()
        {
            while (_listener.Pending())
            {
                _listener.AcceptTcpClient().Dispose();
            }
        }

        public void Dispose() => _listener.Dispose();
    }
}
