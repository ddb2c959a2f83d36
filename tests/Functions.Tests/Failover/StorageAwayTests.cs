using System.Diagnostics;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Failover;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;
using Xunit.Abstractions;

namespace Baton.Functions.Tests.Failover;

/// <summary>Failovers while the storage throttles, hangs or loses answers.</summary>
public sealed class StorageAwayTests(AzuriteFixture azurite, ITestOutputHelper output) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData(503, 30)]
    [InlineData(429, 4)]
    [InlineData(500, 4)]
    public async Task TRAP12_A_storage_that_refuses_for_seconds_delays_a_failover_only_until_it_is_back(int status, int attempts)
    {
        await using var plane = await StartAsync();
        var left = attempts;
        long back = 0;
        plane.Storage.Refuse = call =>
        {
            if (!call.EndsWith("ClusterState", StringComparison.Ordinal) || Interlocked.Decrement(ref left) < 0)
            {
                return null;
            }

            back = Stopwatch.GetTimestamp();
            return status;
        };

        var began = Stopwatch.GetTimestamp();
        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1"));
        output.WriteLine($"{status}: away for {Stopwatch.GetElapsedTime(began, back).TotalMilliseconds:0} ms, done {Stopwatch.GetElapsedTime(back).TotalMilliseconds:0} ms after the last refusal");

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
        Assert.Single(plane.Nodes[1].Calls);
        var steps = UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover!.Steps;
        Assert.Equal(["Queue", "Wait", "Read", "Plan", "Write", "Open"], steps.Select(s => s.Name), StringComparer.Ordinal);

        // In pauses that stay short, one delivery outlasts seconds of it.
        Assert.True(attempts < 30 || Stopwatch.GetElapsedTime(began, back) > TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task TRAP12_One_throttled_call_of_each_kind_is_not_fatal()
    {
        await using var plane = await StartAsync();
        var refused = new HashSet<string>(StringComparer.Ordinal);
        plane.Storage.Refuse = call => refused.Add(call) ? 503 : null;

        await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_write_whose_answer_is_lost_is_recognised_and_its_leaders_are_told_all_the_same()
    {
        await using var plane = await StartAsync();
        var before = await plane.StateAsync();
        var lost = false;
        plane.Storage.LoseAnswer = call => call == "PUT ClusterState" && !lost && (lost = true) ? 500 : null;

        var outputs = await plane.HandleAsync(UrgentQueue.Report("n1"));

        var after = await plane.StateAsync();
        Assert.Equal(before.Version + 1, after.Version);
        Assert.Equal([new ChannelAtTerm(MetadataChannel.Name, 2), new ChannelAtTerm("ch1", after.Channels["ch1"].Term)], Assert.Single(plane.Nodes[1].Calls).Many!);
        Assert.NotNull(UrgentQueue.Json<ReconcileRequest>(outputs.Reconcile!).Failover);
    }

    [Fact]
    public async Task TRAP6_An_outage_that_outlasts_one_delivery_fails_it_and_a_later_delivery_acts()
    {
        var time = new FastTime();
        await using var plane = await ControlPlane.StartAtAsync(azurite.NewAccount(), time);
        await plane.WithTwoNodesAsync();
        plane.Storage.Refuse = call => call.EndsWith("ClusterState", StringComparison.Ordinal) ? 503 : null;

        await Assert.ThrowsAnyAsync<Exception>(() => plane.HandleAsync(UrgentQueue.Report("n1")));
        plane.Storage.Refuse = _ => null;
        await plane.HandleAsync(UrgentQueue.Report("n1"));

        Assert.True(time.Passed >= NodeFailover.StorageRetryTime);
        Assert.Equal("n2", (await plane.StateAsync()).Channels["ch1"].Leader);
    }

    [Fact]
    public async Task A_handler_that_is_told_to_stop_does_not_wait_for_the_storage()
    {
        await using var plane = await StartAsync();
        plane.Storage.Refuse = _ => 503;
        using var stopping = new CancellationTokenSource();
        var handling = plane.HandleAsync(UrgentQueue.Report("n1"), stopping.Token);

        await stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handling.WaitAsync(TimeSpan.FromSeconds(120)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public async Task A_handler_that_is_told_to_stop_while_the_storage_refuses_a_call_was_stopped_and_has_not_failed(int secondsLate)
    {
        await using var plane = await StartAsync();
        using var stopping = new CancellationTokenSource();
        var calls = 0;
        plane.Storage.Refuse = _ =>
        {
            calls++;
            stopping.Cancel();
            return 503;
        };

        var report = UrgentQueue.Report("n1") with { ObservedBy = HeartbeatSweep.Observer, ObservedAt = plane.Time.GetUtcNow().AddSeconds(-secondsLate) };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => plane.HandleAsync(report, stopping.Token));

        Assert.Equal(1, calls);
    }

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithTwoNodesAsync();
        plane.ClearCalls();
        return plane;
    }

    /// <summary>Time in which every wait is over at once, and has taken as long as it was to.</summary>
    private sealed class FastTime : TimeProvider
    {
        private long _ticks;

        public TimeSpan Passed => TimeSpan.FromTicks(Interlocked.Read(ref _ticks));

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + Passed;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                Interlocked.Add(ref _ticks, dueTime.Ticks);
                dueTime = TimeSpan.Zero;
            }

            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
