using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Topology;
using Baton.Storage.Tests.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Topology;

/// <summary>Long polls of the cluster's state. Time stands still unless a test moves it.</summary>
public sealed class ClusterStateWatcherTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task What_this_process_writes_wakes_its_polls_at_once()
    {
        await using var plane = await StartAsync(new ManualTime());
        var waiting = WaitAsync(plane, 1);
        await Until.TrueAsync(() => Task.FromResult(plane.Storage.Calls.Count > 0));

        await ChangeAsync(plane);

        Assert.Equal(2, (await waiting.WaitAsync(Limit))!.Version);
    }

    [Fact]
    public async Task Ten_thousand_polls_are_one_loop_and_what_another_instance_writes_wakes_them_all()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        await using var other = await ControlPlane.StartAtAsync(plane.Account, time);

        var waiting = Enumerable.Range(0, 10_000).Select(_ => WaitAsync(plane, 1)).ToList();
        await Until.TrueAsync(() => Task.FromResult(plane.Storage.Calls.Count == 1));
        await ChangeAsync(other);
        await MoveAsync(time, () => waiting.TrueForAll(w => w.IsCompleted));

        Assert.All(waiting, w => Assert.Equal(2, w.Result!.Version));
        Assert.All(plane.Storage.Calls, c => Assert.Equal("GET ClusterState", c));

        // One to begin with, one per pause, and the new state.
        Assert.InRange(plane.Storage.Calls.Count, 2, 60);
    }

    [Fact]
    public async Task A_poll_that_does_not_wait_is_answered_by_what_is_stored()
    {
        await using var plane = await StartAsync(new ManualTime());

        Assert.Equal(1, (await plane.Get<ClusterStateWatcher>().WaitAsync(0, TimeSpan.Zero, default).WaitAsync(Limit))!.Version);
        Assert.Null(await plane.Get<ClusterStateWatcher>().WaitAsync(1, TimeSpan.Zero, default).WaitAsync(Limit));
    }

    [Fact]
    public async Task A_poll_that_is_ahead_of_the_stored_version_waits_and_hinders_no_other()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        var ahead = plane.Get<ClusterStateWatcher>().WaitAsync(100, Minute, default);
        var other = WaitAsync(plane, 1);
        await Until.TrueAsync(() => Task.FromResult(plane.Storage.Calls.Count > 0));

        await ChangeAsync(plane);

        Assert.Equal(2, (await other.WaitAsync(Limit))!.Version);
        Assert.False(ahead.IsCompleted);
        time.Advance(Minute);
        Assert.Null(await ahead.WaitAsync(Limit));
    }

    [Fact]
    public async Task TRAP12_Polls_wait_through_an_outage_of_the_storage_and_hear_of_what_was_written_after_it()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        await using var other = await ControlPlane.StartAtAsync(plane.Account, time);
        var waiting = Enumerable.Range(0, 100).Select(_ => WaitAsync(plane, 1)).ToList();
        await Until.TrueAsync(() => Task.FromResult(plane.Storage.Calls.Count == 1));
        var refused = 0;
        plane.Storage.Refuse = _ =>
        {
            Interlocked.Increment(ref refused);
            return 503;
        };
        await MoveAsync(time, () => refused > 20);
        Assert.DoesNotContain(waiting, w => w.IsCompleted);

        plane.Storage.Refuse = _ => null;
        await ChangeAsync(other);
        await MoveAsync(time, () => waiting.TrueForAll(w => w.IsCompleted));

        Assert.All(waiting, w => Assert.Equal(2, w.Result!.Version));
    }

    [Fact]
    public async Task A_wait_that_ends_within_an_outage_has_brought_nothing_newer()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        var waiting = plane.Get<ClusterStateWatcher>().WaitAsync(1, TimeSpan.FromSeconds(1), default);
        await Until.TrueAsync(() => Task.FromResult(plane.Storage.Calls.Count == 1));
        await MoveAsync(time, () => plane.Storage.Calls.Count > 1);
        plane.Storage.Refuse = _ => 503;

        time.Advance(TimeSpan.FromSeconds(1));

        Assert.Null(await waiting.WaitAsync(Limit));
    }

    [Fact]
    public async Task Only_who_came_during_an_outage_and_could_be_told_nothing_at_all_gets_an_error()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        plane.Storage.Refuse = _ => 503;
        var waiting = plane.Get<ClusterStateWatcher>().WaitAsync(1, TimeSpan.FromSeconds(1), default);

        await MoveAsync(time, () => waiting.IsCompleted);

        var error = await Assert.ThrowsAsync<ApiException>(() => waiting);
        Assert.Equal(ApiErrorCode.Unavailable, error.Error.Code);
        Assert.True(time.GetUtcNow() - DateTimeOffset.UnixEpoch >= TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task A_poll_whose_caller_goes_away_ends_and_the_loop_with_the_last()
    {
        var time = new ManualTime();
        await using var plane = await StartAsync(time);
        using var caller = new CancellationTokenSource();
        var waiting = plane.Get<ClusterStateWatcher>().WaitAsync(1, Minute, caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Limit));
        await MoveAsync(time, () => plane.Storage.Calls.Count > 0);

        // Its round at most is still under way.
        var calls = plane.Storage.Calls.Count;
        for (var i = 0; i < 10; i++)
        {
            time.Advance(Poll);
            await Task.Yield();
        }

        Assert.InRange(plane.Storage.Calls.Count, calls, calls + 1);
    }

    // Version 1, with nothing in it.
    private async Task<ControlPlane> StartAsync(ManualTime time)
    {
        var plane = await ControlPlane.StartAtAsync(azurite.NewAccount(), time);
        await ChangeAsync(plane);
        plane.Storage.Clear();
        return plane;
    }

    private static Task<ClusterState?> WaitAsync(ControlPlane plane, long since) => plane.Get<ClusterStateWatcher>().WaitAsync(since, Minute, default);

    private static Task<ClusterState> ChangeAsync(ControlPlane plane) => plane.States.UpdateAsync(s => s with { Version = s.Version + 1 }, default);

    private static Task MoveAsync(ManualTime time, Func<bool> until) => Until.TrueAsync(() =>
    {
        time.Advance(Poll);
        return Task.FromResult(until());
    });
}
