using Baton.Core.Api;
using Baton.Functions.Operations;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>Control planes that die in the middle of a session, storage that fails, nodes that fail, and activities that run twice: no replica is called in sync that is not, and nothing is left behind.</summary>
public sealed class LostRecoveryTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    // What a session of a diverged replica runs: connect, handshake, search, pin, cut, fetch three times, compare, let go of the log, let go of the replica.
    private const int Steps = 11;

    public static TheoryData<string, bool, int, bool> Moments
    {
        get
        {
            var all = new TheoryData<string, bool, int, bool>();
            (string Activity, int Nth)[] steps = [(nameof(TakeRecovery), 1), .. Enumerable.Range(1, Steps).Select(n => (nameof(CarryOutRecovery), n)), (nameof(FinishOperation), 1)];
            foreach (var (activity, nth) in steps)
            {
                all.Add(activity, true, nth, false);
            }

            // Lost before a step ran is not much else than lost after the one before it.
            foreach (var (activity, nth) in Sampled.Every(3, steps))
            {
                all.Add(activity, false, nth, false);
            }

            // A rebuild: connect, handshake, pin, three orders, compare, log, replica.
            foreach (var nth in Sampled.Every(3, Enumerable.Range(1, 9)))
            {
                all.Add(nameof(CarryOutRecovery), false, nth, true);
                all.Add(nameof(CarryOutRecovery), true, nth, true);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Moments))]
    public async Task A_run_that_is_lost_at_any_step_ends_its_session_and_its_hold_and_the_next_session_recovers_the_replica(string activity, bool after, int nth, bool rebuild)
    {
        await using var plane = await StartAsync(rebuild);
        plane.Engine.LoseAt = new Loss(activity, after, nth);

        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverWithSweepsAsync();

        Assert.Null(plane.Engine.LoseAt);
        await plane.AssertSoundAsync(isReleased: false);
        await RecoverToTheEndAsync(plane);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Activities_that_each_run_twice_change_nothing_and_have_each_event_once(bool rebuild)
    {
        await using var plane = await StartAsync(rebuild);
        plane.Engine.RunsEachTwice = true;

        await plane.RecoverAsync();

        Assert.Equal(
            rebuild
                ? ["session_created kind=rebuild", "rebuild_connected", "rebuild_source_selected kind=full_base", "history_pinned from=1 target=100", "rebuild_completed in_sync", "pins_released"]
                :
                [
                    "session_created kind=bootstrap", "connected", "handshake outcome=catchup", "history_pinned from=64 target=100", "catchup_started target=100 start=63", "truncation_recorded truncated_to=63",
                    "completed in_sync", "pins_released",
                ],
            await plane.EventTextsAsync());
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Storage_that_fails_every_fourth_call_delays_a_session_and_does_nothing_else(bool answersOnly)
    {
        await using var plane = await StartAsync(rebuild: false);
        var calls = 0;
        int? Fails(string call) => (call.EndsWith("Recovery", StringComparison.Ordinal) || call.EndsWith("Timeline", StringComparison.Ordinal) || call.EndsWith("batch", StringComparison.Ordinal)) && Interlocked.Increment(ref calls) % 4 == 0 ? 500 : null;
        if (answersOnly)
        {
            plane.Storage.LoseAnswer = Fails;
        }
        else
        {
            plane.Storage.Refuse = Fails;
        }

        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverWithSweepsAsync();
        (plane.Storage.LoseAnswer, plane.Storage.Refuse) = (_ => null, _ => null);

        Assert.True(calls > 20);
        await RecoverToTheEndAsync(plane);
    }

    [Fact]
    public async Task Storage_that_is_away_for_longer_than_an_activity_tries_costs_the_session_and_not_the_replica()
    {
        await using var plane = await StartAsync(rebuild: false);
        var left = 8;
        plane.Storage.Refuse = call => call.EndsWith("Recovery", StringComparison.Ordinal) && plane.Node("n2").Of("catch-up").Count > 0 && Interlocked.Decrement(ref left) >= 0 ? 403 : null;

        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverWithSweepsAsync();

        Assert.True(left < 0);
        Assert.Contains("session_invalidated run_lost", await plane.EventTextsAsync());
        await plane.AssertSoundAsync(isReleased: false);
        await RecoverToTheEndAsync(plane);
    }

    [Theory]
    [InlineData("n2", "connect")]
    [InlineData("n2", "handshake")]
    [InlineData("n2", "position")]
    [InlineData("n2", "truncate")]
    [InlineData("n2", "catch-up")]
    [InlineData("n2", "release")]
    [InlineData("n1", "history")]
    public async Task A_call_that_fails_is_tried_again_and_one_that_is_refused_ends_the_session(string node, string verb)
    {
        foreach (var fault in new Exception?[] { new LostConnectionException(), null })
        {
            await using var plane = await StartAsync(rebuild: false);
            var left = 3;
            plane.Node(node).Intercept = call => call.Verb != verb || left-- <= 0 ? Task.FromResult<ApiError?>(null)
                : fault is not null ? throw fault
                : Task.FromResult<ApiError?>(new ApiError(ApiErrorCode.Unavailable, "not now"));

            await plane.RecoverAsync();

            Assert.True((await plane.SenderAsync())!.IsInSync);
            Assert.Single(await plane.EventsAsync(), e => e.Event == "session_created");
            await plane.AssertSoundAsync(isReleased: verb != "release");
        }

        await using var refusing = await StartAsync(rebuild: false);
        refusing.Node(node).Intercept = call => Task.FromResult(call.Verb == verb ? new ApiError(ApiErrorCode.Conflict, "never") : null);

        await refusing.RecoverAsync();

        Assert.Equal(verb == "release", (await refusing.SenderAsync())!.IsInSync);
        await refusing.AssertSoundAsync(isReleased: verb != "release");
    }

    [Fact]
    public async Task A_session_that_was_made_and_never_begun_is_begun_by_the_next_sweep()
    {
        await using var plane = await StartAsync(rebuild: false);
        var starts = 0;
        plane.Storage.Refuse = call => call.EndsWith("Operations", StringComparison.Ordinal) && call.StartsWith('P') && starts++ == 0 ? 403 : null;
        await Assert.ThrowsAnyAsync<Exception>(plane.SweepRecoveriesAsync);
        Assert.True((await plane.SenderAsync())!.HasActiveSession);
        Assert.Empty(plane.Engine.InstanceIds);

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Single(await plane.EventsAsync(), e => e.Event == "session_created");
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_hold_on_the_log_that_a_lost_run_left_behind_is_gone_with_the_next_attempt_also_where_its_session_is_over()
    {
        await using var plane = await StartAsync(rebuild: false);

        // Killed within the step, between the row, which says that the session is over, and the manifest.
        plane.Engine.BeforeActivity = async name =>
        {
            if (name == nameof(TakeRecovery) && plane.Engine.LoseAt is null)
            {
                Assert.True((await plane.SenderAsync())!.IsInSync);
                await plane.Get<Storage.Wal.WalStore>().PinAsync("ch1", "recovery-n2", 1, TimeSpan.FromHours(1), default);
            }
        };
        plane.Engine.LoseAt = new Loss(nameof(CarryOutRecovery), After: false, Nth: Steps);

        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverWithSweepsAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Empty(await plane.PinsAsync());
    }

    private static async Task RecoverToTheEndAsync(ControlPlane plane)
    {
        for (var sessions = 0; sessions < 3 && !(await plane.SenderAsync())!.IsInSync; sessions++)
        {
            plane.Time.Advance(RecoveryScene.Rest);
            await plane.BeatRecoveriesAsync();
            await plane.RecoverAsync();
            await plane.AssertSoundAsync(isReleased: false);
        }

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.True(plane.Replica().HasTheLog);
    }

    private async Task<ControlPlane> StartAsync(bool rebuild)
    {
        var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(63, foreignTo: 80);
        (plane.Replica().PerOrder, plane.Replica().State) = rebuild ? (40, FollowState.NeedsRebuild) : (13, FollowState.Following);
        await plane.BeatRecoveriesAsync();
        return plane;
    }
}
