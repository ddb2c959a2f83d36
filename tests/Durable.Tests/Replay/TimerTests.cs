using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class TimerTests
{
    [Fact]
    public void A_timer_is_asked_for_at_an_absolute_time_and_ends_when_it_fires()
    {
        Orchestrator orchestrator = Waiting(TimeSpan.FromMinutes(5));
        Assert.Equal(Noon.AddMinutes(5), Timer(orchestrator.FirstTurn(Turn(), Started())));
        Assert.Equal("\"done\"", orchestrator.NextTurn([Turn(), Started(), TimerCreated(0)], Turn(300), TimerFired(0)).Output());
    }

    [Fact]
    public void A_time_of_unspecified_kind_is_taken_as_utc()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.CreateTimer(new DateTime(2026, 1, 2, 13, 0, 0, DateTimeKind.Unspecified), CancellationToken.None);
            return null;
        });
        Assert.Equal(Noon.AddHours(1), Timer(orchestrator.FirstTurn(Turn(), Started())));
    }

    [Fact]
    public void A_long_timer_is_cut_into_pieces_of_three_days()
    {
        Orchestrator orchestrator = Waiting(TimeSpan.FromDays(7));
        DateTime day3 = Noon.AddDays(3);
        DateTime day6 = Noon.AddDays(6);
        Assert.Equal(day3, Timer(orchestrator.FirstTurn(Turn(), Started())));
        List<HistoryEvent> history = [Turn(), Started(), TimerCreated(0)];
        Assert.Equal(day6, Timer(orchestrator.NextTurn(history, Turn(day3), TimerFired(0))));
        history.AddRange([Turn(day3), TimerFired(0), TimerCreated(1)]);
        Assert.Equal(Noon.AddDays(7), Timer(orchestrator.NextTurn(history, Turn(day6), TimerFired(1))));
        history.AddRange([Turn(day6), TimerFired(1), TimerCreated(2)]);
        Assert.Equal("\"done\"", orchestrator.NextTurn(history, Turn(Noon.AddDays(7)), TimerFired(2)).Output());
    }

    [Fact]
    public void A_timer_of_exactly_three_days_is_one_timer()
        => Assert.Equal("\"done\"", Waiting(TimeSpan.FromDays(3)).NextTurn([Turn(), Started(), TimerCreated(0)], Turn(Noon.AddDays(3)), TimerFired(0)).Output());

    [Fact]
    public void The_platforms_own_batch_timer_is_skipped()
        => Waiting(TimeSpan.FromMinutes(5)).NextTurn([Turn(), Started(), TimerCreated(0), TimerCreated(-100), TimerFired(-100)], Turn(1)).IsWaiting();

    [Fact]
    public void A_cancelled_timer_does_not_hold_the_orchestration_open_and_its_firing_is_ignored()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task timer = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
            int result = await context.CallActivityAsync<int>("Work");
            end.Cancel();
            Assert.True(timer.IsCanceled);
            return result;
        });
        HistoryEvent[] past = [Turn(), Started(), TimerCreated(0), Scheduled(1, "Work")];
        Assert.Equal("3", orchestrator.NextTurn(past, Turn(1), Completed(1, 3), TimerFired(0)).Output());
    }

    [Fact]
    public void A_timer_that_nobody_cancelled_holds_the_orchestration_open()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            _ = context.CreateTimer(TimeSpan.FromHours(1), CancellationToken.None);
            return await context.CallActivityAsync<int>("Work");
        });
        orchestrator.NextTurn([Turn(), Started(), TimerCreated(0), Scheduled(1, "Work")], Turn(1), Completed(1, 3)).IsWaiting();
    }

    [Fact]
    public void A_token_cancelled_before_asks_for_no_timer()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.CreateTimer(TimeSpan.FromHours(1), new CancellationToken(canceled: true));
            return null;
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Equal(typeof(TaskCanceledException).FullName, response.Failure().ErrorType);
        Assert.Single(response.Actions);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_long_timer_that_is_cancelled_in_any_of_its_pieces_asks_for_no_other(bool inTheSecond)
    {
        var orchestrator = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task timer = context.CreateTimer(TimeSpan.FromDays(7), end.Token);
            await context.WaitForExternalEvent<int>("stop");
            end.Cancel();
            await Assert.ThrowsAsync<TaskCanceledException>(() => timer);
            return "stopped";
        });
        List<HistoryEvent> history = [Turn(), Started(), TimerCreated(0)];
        if (inTheSecond)
        {
            history.AddRange([Turn(Noon.AddDays(3)), TimerFired(0), TimerCreated(1)]);
        }

        HistoryEvent stop = Raised("stop", "1");
        Assert.Equal("\"stopped\"", orchestrator.NextTurn(history, Turn(Noon.AddDays(4)), stop).Output());
        Assert.Equal("\"stopped\"", orchestrator.NextTurn(history, Turn(Noon.AddDays(6)), stop, TimerFired(inTheSecond ? 1 : 0)).Output());
    }

    [Fact]
    public void A_timer_that_fired_before_it_was_cancelled_has_fired()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task timer = context.CreateTimer(TimeSpan.FromHours(1), end.Token);
            await context.WaitForExternalEvent<int>("stop");
            end.Cancel();
            return timer.Status.ToString();
        });
        Assert.Equal("\"RanToCompletion\"", orchestrator.NextTurn([Turn(), Started(), TimerCreated(0)], Turn(3600), TimerFired(0), Raised("stop", "1")).Output());
    }

    [Fact]
    public void A_time_in_the_past_is_asked_for_as_it_is_and_fires_at_once()
        => Assert.Equal(Noon.AddHours(-1), Timer(Waiting(TimeSpan.FromHours(-1)).FirstTurn(Turn(), Started())));

    private static Orchestrator Waiting(TimeSpan delay) => new(async context =>
    {
        await context.CreateTimer(delay, CancellationToken.None);
        return "done";
    });

    private static DateTime Timer(OrchestratorResponse response) => Assert.Single(response.Actions).CreateTimer.FireAt.ToDateTime();
}
