using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class RetryHandlerTests
{
    private static readonly IOException Broken = new("broken pipe");

    [Fact]
    public void The_handler_decides_after_each_failure_and_a_retry_follows_at_once()
    {
        var seen = new List<RetryContext>();
        Orchestrator orchestrator = Retrying(TaskOptions.FromRetryHandler(soFar =>
        {
            seen.Add(soFar);
            return soFar.LastAttemptNumber < 3;
        }));
        List<HistoryEvent> history = [Turn(), Started(), Scheduled(0, "Work")];
        orchestrator.NextTurn(history, Turn(1), Threw(0, Broken)).Asks("1:Work(\"in\")");
        history.AddRange([Turn(1), Threw(0, Broken), Scheduled(1, "Work")]);
        orchestrator.NextTurn(history, Turn(5), Failed(1)).Asks("2:Work(\"in\")");
        history.AddRange([Turn(5), Failed(1), Scheduled(2, "Work")]);
        Assert.Equal("7", orchestrator.NextTurn(history, Turn(6), Completed(2, 7)).Output());

        seen.Clear();
        Assert.Equal("broken pipe", orchestrator.NextTurn(history, Turn(6), Threw(2, Broken)).Failure().InnerFailure.ErrorMessage);
        Assert.Equal([(1, 1), (2, 5), (3, 6)], seen.Select(soFar => (soFar.LastAttemptNumber, (int)soFar.TotalRetryTime.TotalSeconds)));
        Assert.True(seen[0].LastFailure.IsCausedBy<IOException>());
        Assert.Equal("abc", seen[0].OrchestrationContext.InstanceId);
    }

    [Fact]
    public void A_handler_may_wait_for_tasks_of_its_context()
    {
        Orchestrator orchestrator = Retrying(TaskOptions.FromRetryHandler(async soFar =>
        {
            await soFar.OrchestrationContext.CreateTimer(TimeSpan.FromSeconds(30), soFar.CancellationToken);
            return true;
        }));
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work")];
        OrchestratorAction timer = Assert.Single(orchestrator.NextTurn(past, Turn(1), Threw(0, Broken)).Actions);
        Assert.Equal((1, Noon.AddSeconds(31)), (timer.Id, timer.CreateTimer.FireAt.ToDateTime()));
        orchestrator.NextTurn([.. past, Turn(1), Threw(0, Broken), TimerCreated(1)], Turn(31), TimerFired(1)).Asks("2:Work(\"in\")");
    }

    [Fact]
    public void It_is_not_asked_about_a_failure_that_no_retry_can_mend()
    {
        Orchestrator orchestrator = Retrying(TaskOptions.FromRetryHandler(_ => true));
        var details = new Microsoft.DurableTask.Protobuf.TaskFailureDetails { ErrorType = "Fatal", IsNonRetriable = true };
        Assert.Equal("Fatal", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Failed(0, details)).Failure().InnerFailure.ErrorType);
    }

    [Fact]
    public void A_handler_that_throws_fails_the_call_with_its_own_exception()
    {
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work")];
        Orchestrator byHandler = Retrying(TaskOptions.FromRetryHandler(new RetryHandler(_ => throw new FormatException("the handler broke"))));
        Assert.Equal("the handler broke", byHandler.NextTurn(past, Turn(1), Threw(0, Broken)).Failure().ErrorMessage);
        var policy = new RetryPolicy(3, TimeSpan.FromSeconds(1)) { HandleFailure = _ => throw new FormatException("the policy broke") };
        Assert.Equal("the policy broke", Retrying(TaskOptions.FromRetryPolicy(policy)).NextTurn(past, Turn(1), Threw(0, Broken)).Failure().ErrorMessage);
    }

    [Fact]
    public void A_handler_that_leaves_the_turn_is_found_out()
    {
        var never = new TaskCompletionSource<bool>();
        Orchestrator orchestrator = Retrying(TaskOptions.FromRetryHandler(_ => never.Task));
        Assert.Contains(
            "waits, but for nothing",
            orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Threw(0, Broken)).Failure().ErrorMessage,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_childs_failure_is_decided_alike()
    {
        var options = new SubOrchestrationOptions(TaskOptions.FromRetryHandler(soFar => soFar.LastAttemptNumber < 2), "child");
        var orchestrator = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child", options));
        OrchestratorAction retry = Assert.Single(orchestrator.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0)).Actions);
        Assert.Equal((1, "child"), (retry.Id, retry.CreateSubOrchestration.InstanceId));
    }

    private static Orchestrator Retrying(TaskOptions options) => new(async context => await context.CallActivityAsync<int>("Work", "in", options));
}
