using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Wal;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Storage.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>Sessions that take more than they may, or get no answer.</summary>
public sealed class BudgetTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    // What a node makes an order wait before it tells how far it is.
    private static readonly TimeSpan StepTime = TimeSpan.FromMilliseconds(250);

    [Theory]
    [InlineData("catch-up", "MaxDurationMs", "duration_exceeded")]
    [InlineData("catch-up", "MaxStallMs", "progress_stalled")]
    [InlineData("rebuild", "MaxDurationMs", "duration_exceeded")]
    [InlineData("rebuild", "MaxStallMs", "progress_stalled")]
    public async Task RM9_A_bound_of_time_ends_a_session_while_the_replicas_answer_is_still_awaited(string verb, string setting, string violation)
    {
        await using var plane = await azurite.StartRecoveriesAsync(($"Recovery:{setting}", "1000"));
        plane.Replica().Holding(70).State = verb == "rebuild" ? Core.Api.FollowState.NeedsRebuild : Core.Api.FollowState.Following;
        await plane.BeatRecoveriesAsync();
        var (asked, letGo) = plane.Node("n2").HangAt(verb);

        await plane.SweepRecoveriesAsync();
        await asked;
        plane.Engine.Timers = Timers.AtOnce;
        await plane.RecoveriesAreOverAsync();

        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        Assert.Equal([$"budget_escalated {violation}", "pins_released"], (await plane.EventTextsAsync()).TakeLast(2));
        await plane.AssertSoundAsync();

        // The answer, when it comes, is nobody's.
        var before = (await plane.EventsAsync()).Count;
        var runs = plane.Engine.Runs(nameof(CarryOutRecovery));
        letGo.SetResult();
        await Until.TrueAsync(() => Task.FromResult(plane.Engine.Runs(nameof(CarryOutRecovery)) > runs));
        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        Assert.Equal(before, (await plane.EventsAsync()).Count);
    }

    [Theory]
    [InlineData("MaxEntries", "20", "entries_exceeded", false)]
    [InlineData("MaxBytes", "200", "bytes_exceeded", false)]
    [InlineData("MaxEntries", "20", "entries_exceeded", true)]
    [InlineData("MaxBytes", "200", "bytes_exceeded", true)]
    public async Task RM12_A_bound_of_what_is_moved_ends_a_session_with_the_answer_that_breaks_it(string setting, string bound, string violation, bool rebuild)
    {
        await using var plane = await azurite.StartRecoveriesAsync(($"Recovery:{setting}", bound));
        plane.Replica().Holding(70).State = rebuild ? Core.Api.FollowState.NeedsRebuild : Core.Api.FollowState.Following;
        plane.Replica().PerOrder = 7;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        Assert.Equal([$"budget_escalated {violation}", "pins_released"], (await plane.EventTextsAsync()).TakeLast(2));
        Assert.Equal(3, plane.Node("n2").Of(rebuild ? "rebuild" : "catch-up").Count);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task What_comes_within_all_bounds_breaks_none()
    {
        await using var plane = await azurite.StartRecoveriesAsync(("Recovery:MaxEntries", "30"), ("Recovery:MaxBytes", "300"), ("Recovery:MaxStallMs", "1000"), ("Recovery:MaxDurationMs", "30000"));
        plane.Replica().Holding(70).PerOrder = 1;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task Before_records_move_a_replica_that_does_not_answer_in_time_ends_the_session_and_nothing_is_said_of_its_copy()
    {
        await using var plane = await azurite.StartRecoveriesAsync(("Recovery:MaxDurationMs", "1000"));
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("handshake");

        await plane.SweepRecoveriesAsync();
        await asked;
        plane.Engine.Timers = Timers.AtOnce;
        await plane.RecoveriesAreOverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.Equal("handshake_failed no answer within the budget", (await plane.EventTextsAsync())[^1]);
        letGo.SetResult();
        await plane.AssertSoundAsync();
    }

    [Theory]
    [InlineData("handshake", "handshake_failed")]
    [InlineData("position", "completion_rejected")]
    public async Task A_replica_that_never_answers_a_step_is_given_up_after_sixty_attempts_and_its_copy_is_what_it_was(string verb, string ended)
    {
        await using var plane = await azurite.StartRecoveriesAsync(("Recovery:MaxDurationMs", "86400000"));
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();
        plane.Node("n2").Intercept = call => call.Verb == verb ? throw new LostConnectionException() : Task.FromResult<Core.Api.ApiError?>(null);

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.Contains($"{ended} nobody answered", await plane.EventTextsAsync());
        Assert.Equal(60, plane.Node("n2").Of(verb).Count);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_that_answers_now_and_then_is_not_given_up()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70).PerOrder = 1;
        await plane.BeatRecoveriesAsync();
        var calls = 0;
        plane.Node("n2").Intercept = call => call.Verb == "catch-up" && ++calls % 4 != 0 ? throw new LostConnectionException() : Task.FromResult<Core.Api.ApiError?>(null);

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.True(calls > 60);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task While_records_move_the_log_is_kept_anew_before_the_pin_runs_out()
    {
        await using var plane = await azurite.StartRecoveriesAsync(("Recovery:PinMs", "10000"));
        plane.Replica().Holding(40).PerOrder = 1;
        await plane.BeatRecoveriesAsync();
        var until = new HashSet<DateTimeOffset>();
        plane.Node("n2").Intercept = async call =>
        {
            if (call.Verb == "catch-up")
            {
                until.Add(Assert.Single(await plane.PinsAsync()).ExpiresAt);
                plane.Time.Advance(StepTime);
            }

            return null;
        };

        await plane.RecoverAsync();

        // 60 steps of 250 ms and a pause, and a pin that is renewed after a third of its 10 s.
        Assert.InRange(until.Count, 4, 7);
        Assert.True((await plane.SenderAsync())!.IsInSync);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RM13_A_replica_for_which_more_of_the_log_is_kept_than_may_be_is_released_to_a_rebuild()
    {
        await using var plane = await azurite.StartRecoveriesAsync(("Recovery:PinMs", "10000"), ("Recovery:MaxRetainedBytes", "1"));
        var logs = plane.Get<WalStore>();
        await using (var writer = await logs.OpenAsync("ch1", 2, "n1", null, default))
        {
            await writer.Append([.. Enumerable.Range(1, 100).Select(i => new WalRecord { Type = WalRecordType.Message, TimeTick = i })]).Durable;
        }

        await (await logs.OpenAsync("ch1", 3, "n1", null, default)).DisposeAsync();
        plane.Replica().Holding(70).PerOrder = 1;
        await plane.BeatRecoveriesAsync();
        plane.Node("n2").Intercept = call =>
        {
            plane.Time.Advance(call.Verb == "catch-up" ? StepTime : TimeSpan.Zero);
            return Task.FromResult<ApiError?>(null);
        };

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        Assert.Equal(["escalated", "pins_released"], (await plane.EventTextsAsync()).TakeLast(2).Select(e => e.Split(' ')[0]));
        Assert.Contains(await plane.EventTextsAsync(), e => e.StartsWith("escalated needs_rebuild: retention_released, ", StringComparison.Ordinal));
        Assert.False(plane.Replica().HasTheLog);
        await plane.AssertSoundAsync();
    }
}
