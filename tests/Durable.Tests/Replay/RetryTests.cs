using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class RetryTests
{
    private static readonly IOException Broken = new("broken pipe");

    [Fact]
    public void A_failure_leads_to_a_timer_and_its_firing_to_another_attempt_under_new_ids()
    {
        Orchestrator orchestrator = Retrying(new RetryPolicy(3, TimeSpan.FromSeconds(2), backoffCoefficient: 2));
        List<HistoryEvent> history = [Turn(), Started(), Scheduled(0, "Work")];
        Assert.Equal((1, Noon.AddSeconds(3)), Timer(orchestrator.NextTurn(history, Turn(1), Threw(0, Broken))));

        history.AddRange([Turn(1), Threw(0, Broken), TimerCreated(1)]);
        orchestrator.NextTurn(history, Turn(3), TimerFired(1)).Asks("2:Work(\"in\")");

        history.AddRange([Turn(3), TimerFired(1), Scheduled(2, "Work")]);
        Assert.Equal((3, Noon.AddSeconds(8)), Timer(orchestrator.NextTurn(history, Turn(4), Failed(2))));

        history.AddRange([Turn(4), Failed(2), TimerCreated(3), Turn(8), TimerFired(3), Scheduled(4, "Work")]);
        Assert.Equal("9", orchestrator.NextTurn(history, Turn(9), Completed(4, 9)).Output());

        OrchestratorResponse last = orchestrator.NextTurn(history, Turn(9), Threw(4, Broken));
        Assert.Equal("broken pipe", last.Failure().InnerFailure.ErrorMessage);
        Assert.Single(last.Actions);
    }

    [Fact]
    public void Without_a_policy_there_is_no_other_attempt()
        => Assert.Equal("broken pipe", Retrying(policy: null).NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Threw(0, Broken)).Failure().InnerFailure.ErrorMessage);

    [Fact]
    public void A_failure_that_no_retry_can_mend_gets_none()
    {
        Orchestrator orchestrator = Retrying(new RetryPolicy(3, TimeSpan.FromSeconds(2)));
        var details = new Microsoft.DurableTask.Protobuf.TaskFailureDetails { ErrorType = "Fatal", IsNonRetriable = true };
        Assert.True(orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Failed(0, details)).Failure().InnerFailure.IsNonRetriable);
    }

    [Fact]
    public void A_failure_that_the_handler_declines_gets_no_retry()
    {
        Orchestrator orchestrator = Retrying(new RetryPolicy(3, TimeSpan.FromSeconds(2)) { HandleFailure = failure => !failure.IsCausedBy<IOException>() });
        Assert.Equal("broken pipe", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Threw(0, Broken)).Failure().InnerFailure.ErrorMessage);
        Assert.Equal(1, Timer(orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Failed(0))).Id);
    }

    [Fact]
    public void No_attempt_starts_after_the_timeout()
    {
        Orchestrator orchestrator = Retrying(new RetryPolicy(100, TimeSpan.FromSeconds(2), retryTimeout: TimeSpan.FromSeconds(10)));
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work")];
        Assert.Equal(1, Timer(orchestrator.NextTurn(past, Turn(9), Threw(0, Broken))).Id);
        Assert.Equal("broken pipe", orchestrator.NextTurn(past, Turn(10), Threw(0, Broken)).Failure().InnerFailure.ErrorMessage);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(3, 9)]
    [InlineData(4, 20)]
    [InlineData(4000, 20)]
    public void Waits_grow_by_the_coefficient_up_to_the_longest(int failedAttempts, int seconds)
    {
        var policy = new RetryPolicy(int.MaxValue, TimeSpan.FromSeconds(1), backoffCoefficient: 3, maxRetryInterval: TimeSpan.FromSeconds(20));
        Assert.Equal(TimeSpan.FromSeconds(seconds), policy.NextDelay(failedAttempts, TimeSpan.Zero, new TaskFailureDetails("E", "m", StackTrace: null, InnerFailure: null, Properties: null)));
    }

    [Fact]
    public void The_longest_wait_is_one_hour_unless_said_otherwise()
    {
        Assert.Equal(TimeSpan.FromHours(1), new RetryPolicy(2, TimeSpan.FromSeconds(1)).MaxRetryInterval);
        Assert.Equal(TimeSpan.FromHours(1), new RetryPolicy(2, TimeSpan.FromHours(5)).MaxRetryInterval);
    }

    [Fact]
    public void A_policy_out_of_range_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(0, TimeSpan.FromSeconds(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(1, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(1, TimeSpan.FromSeconds(1), backoffCoefficient: 0.9));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(1, TimeSpan.FromSeconds(1), backoffCoefficient: double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(1, TimeSpan.FromSeconds(2), maxRetryInterval: TimeSpan.FromSeconds(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RetryPolicy(1, TimeSpan.FromSeconds(2), retryTimeout: TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void Limits_may_be_infinite()
    {
        var policy = new RetryPolicy(int.MaxValue, TimeSpan.FromHours(1), backoffCoefficient: 2, maxRetryInterval: Timeout.InfiniteTimeSpan, retryTimeout: Timeout.InfiniteTimeSpan);
        var failure = new TaskFailureDetails("E", "m", StackTrace: null, InnerFailure: null, Properties: null);
        Assert.Equal(TimeSpan.FromHours(1024), policy.NextDelay(11, TimeSpan.FromDays(10_000), failure));
        Assert.Equal(TimeSpan.MaxValue, policy.NextDelay(4000, TimeSpan.Zero, failure));
    }

    private static Orchestrator Retrying(RetryPolicy? policy)
        => new(async context => await context.CallActivityAsync<int>("Work", "in", policy is null ? null : TaskOptions.FromRetryPolicy(policy)));

    private static (int Id, DateTime FireAt) Timer(OrchestratorResponse response)
    {
        OrchestratorAction timer = Assert.Single(response.Actions);
        return (timer.Id, timer.CreateTimer.FireAt.ToDateTime());
    }
}
