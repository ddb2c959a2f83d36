using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>Sessions that are ended from outside while an action of theirs is under way.</summary>
public sealed class EndedSessionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly ReplicaKey N2 = new("ch1", "n2");

    [Fact]
    public async Task RC77_A_failover_in_the_middle_ends_the_session_frees_the_log_and_has_another_made_at_the_new_term()
    {
        await using var plane = await StartAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;

        await plane.RaiseTermAsync();
        await plane.SweepRecoveriesAsync();
        await Until.TrueAsync(async () => (await plane.EventTextsAsync(1)).Contains("pins_released", StringComparer.Ordinal));
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();

        Assert.Equal(["session_invalidated epoch_advanced_to_2", "pins_released"], (await plane.EventTextsAsync(1)).TakeLast(2));
        Assert.Equal("session_created kind=reassign", (await plane.EventTextsAsync(2))[0]);
        Assert.True(await plane.SenderAsync() is { IsInSync: true, Epoch: 2 });
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC3_A_node_that_joins_again_is_another_endpoint_and_gets_another_session()
    {
        await using var plane = await StartAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;

        Assert.Equal(200, (await plane.JoinAsync("n2", plane.Node("n2").Endpoint, "another-process")).Status);
        await plane.BeatRecoveriesAsync();
        await plane.SweepRecoveriesAsync();
        await Until.TrueAsync(async () => (await plane.EventTextsAsync(1)).Contains("pins_released", StringComparer.Ordinal));
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();

        Assert.Contains("session_invalidated endpoint_changed", await plane.EventTextsAsync(1));
        Assert.True(await plane.SenderAsync() is { IsInSync: true, Endpoint.Version: 2 });
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_that_is_given_up_in_the_middle_of_its_session_is_known_no_more()
    {
        await using var plane = await StartAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;

        // As the pass writes it: another copy took its place.
        await plane.AddNodeAsync("n3");
        plane.Node("n3").Replicas["ch1"] = new ReplicaDouble(plane.Log()).Holding(100);
        await plane.ChangeChannelsAsync(c => c with { Replicas = [new ReplicaState("n3", ReplicaMode.Sync, ReplicaProgress.Disconnected, 0)] });
        await plane.BeatRecoveriesAsync();
        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverAsync();
        letGo.SetResult();

        Assert.Null(await plane.SenderAsync());
        Assert.Equal(["session_invalidated sender_stopped", "pins_released"], (await plane.EventTextsAsync(1)).TakeLast(2));
        Assert.Contains(await plane.EventsAsync(), e => e is { Replica: "n2", Event: RecoveryEvents.SenderRemoved });
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC78_A_cancelled_session_ends_while_its_action_hangs_and_the_next_sweep_makes_another()
    {
        await using var plane = await StartAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;

        var answer = await plane.CancelAsync("ch1", "n2");
        await plane.RecoveriesAreOverAsync();

        Assert.Equal((200, """{"ended":true}"""), (answer.Status, answer.Body));
        Assert.Equal(["session_invalidated cancelled", "pins_released"], (await plane.EventTextsAsync(1)).TakeLast(2));
        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        await plane.AssertSoundAsync();
        letGo.SetResult();

        // Not at once: what ended a moment ago rests.
        plane.Time.Advance(RecoveryScene.Rest);
        await plane.RecoverAsync();
        Assert.Equal("session_created kind=catchup", (await plane.EventTextsAsync(2))[0]);
        Assert.True((await plane.SenderAsync())!.IsInSync);
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("handshake")]
    [InlineData("position")]
    [InlineData("truncate")]
    [InlineData("catch-up")]
    public async Task Word_of_an_end_that_was_another_sessions_changes_nothing(string verb)
    {
        await using var plane = await StartAsync();
        plane.Replica().Holding(63, foreignTo: 80);
        await plane.BeatRecoveriesAsync();
        var (asked, letGo) = plane.Node("n2").HangAt(verb);
        await plane.SweepRecoveriesAsync();
        await asked;
        var runs = plane.Engine.Runs(nameof(CarryOutRecovery));

        await plane.Engine.RaiseEventAsync((await plane.Operations.ReadHeadAsync(RecoverySessionInput.IdOf(N2), default))!.InstanceId, RecoverySessionOrchestration.Changed, "ended");
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(CarryOutRecovery)) > runs));
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();

        Assert.Equal(
            [
                "session_created kind=bootstrap", "connected", "handshake outcome=catchup", "history_pinned from=64 target=100", "catchup_started target=100 start=63", "truncation_recorded truncated_to=63",
                "completed in_sync", "pins_released",
            ],
            await plane.EventTextsAsync());
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_session_that_is_ended_just_before_its_completion_is_kept_has_one_end_and_is_not_in_sync()
    {
        await using var plane = await StartAsync();
        plane.Engine.BeforeActivity = async name =>
        {
            // Verified, and not yet kept.
            if (name == nameof(CarryOutRecovery) && plane.Node("n2").Of("position").Count == 1)
            {
                await plane.Get<RecoveryStore>().ChangeAsync("ch1", 0, r => r.Invalidate(N2, 1, RecoveryEvents.Cancelled), default);
            }
        };

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.Equal(["session_invalidated cancelled", "pins_released"], (await plane.EventTextsAsync()).TakeLast(2));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_that_has_forgotten_its_session_is_bound_to_it_again()
    {
        await using var plane = await StartAsync();
        plane.Replica().PerOrder = 10;
        var once = false;
        plane.Node("n2").Intercept = call =>
        {
            if (call.Verb == "catch-up" && plane.Replica().FlushedLsn == 80 && !once)
            {
                once = true;
                plane.Replica().Forget();
            }

            return Task.FromResult<Core.Api.ApiError?>(null);
        };

        await plane.RecoverAsync();

        Assert.Equal(2, plane.Node("n2").Of("connect").Count);
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();
        return plane;
    }
}
