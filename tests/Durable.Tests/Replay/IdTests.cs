using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class IdTests
{
    private static readonly Orchestrator EveryKind = new(async context =>
    {
        Task work = context.CallActivityAsync("Work");
        Task child = context.CallSubOrchestratorAsync("Child");
        Task timer = context.CreateTimer(TimeSpan.FromSeconds(5), CancellationToken.None);
        context.SendEvent("other", "Go", 1);
        await Task.WhenAll(work, child, timer);
        return "done";
    });

    [Fact]
    public void Every_kind_of_action_takes_the_next_id_and_so_does_the_completion()
    {
        OrchestratorResponse first = EveryKind.FirstTurn(Turn(), Started());
        Assert.Equal(["0 ScheduleTask", "1 CreateSubOrchestration", "2 CreateTimer", "3 SendEvent"], first.Actions.Select(a => $"{a.Id} {a.OrchestratorActionTypeCase}"));
        OrchestratorResponse last = EveryKind.NextTurn(
            [Turn(), Started(), Scheduled(0, "WORK"), ChildCreated(1, "CHILD"), TimerCreated(2), Sent(3, "GO")],
            Turn(5),
            TimerFired(2),
            ChildCompleted(1, null),
            Completed(0, null));
        Assert.Equal("\"done\"", last.Output());
        Assert.Equal(4, Assert.Single(last.Actions).Id);
    }

    [Fact]
    public void An_outcome_of_another_kind_than_the_action_of_its_id_is_ignored()
        => EveryKind.NextTurn(
            [Turn(), Started(), Scheduled(0, "Work"), ChildCreated(1, "Child"), TimerCreated(2), Sent(3, "Go")],
            Turn(5),
            TimerFired(0),
            ChildCompleted(0, null),
            Completed(1, null),
            Completed(2, null),
            Completed(3, null),
            Completed(-1, null),
            TimerFired(4)).IsWaiting();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Tasks_that_nobody_awaits_hold_the_orchestration_open(bool child)
    {
        var orchestrator = new Orchestrator(context =>
        {
            _ = child ? context.CallSubOrchestratorAsync("Child") : context.CallActivityAsync("Work");
            return Task.FromResult<object?>("done");
        });
        HistoryEvent[] past = [Turn(), Started(), child ? ChildCreated(0, "Child") : Scheduled(0, "Work")];
        Assert.Single(orchestrator.FirstTurn(Turn(), Started()).Actions);
        orchestrator.NextTurn(past, Turn(1)).IsWaiting();
        Assert.Equal("\"done\"", orchestrator.NextTurn(past, Turn(1), child ? ChildFailed(0) : Failed(0)).Output());
    }

    [Fact]
    public void What_is_due_when_the_code_fails_is_still_sent()
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.SendEvent("other", "Go", 1);
            throw new InvalidOperationException("late");
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Equal(["0 SendEvent", "1 CompleteOrchestration"], response.Actions.Select(a => $"{a.Id} {a.OrchestratorActionTypeCase}"));
        Assert.Equal("late", response.Failure().ErrorMessage);
    }
}
