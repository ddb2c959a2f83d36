using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class SuspendAndTerminateTests
{
    private static readonly Orchestrator TwoSteps = new(async context =>
    {
        await context.CallActivityAsync("First");
        await context.CallActivityAsync("Second");
        return "done";
    });

    [Fact]
    public void A_suspended_instance_sends_nothing_and_once_resumed_sends_what_it_withheld()
    {
        TwoSteps.FirstTurn(Turn(), Started(), Suspended()).IsWaiting();
        TwoSteps.NextTurn([Turn(), Started(), Suspended()], Turn(1), Resumed()).Asks("0:First()");
    }

    [Fact]
    public void What_happens_while_suspended_takes_effect_when_resumed()
    {
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "First"), Turn(1), Suspended(), Suspended()];
        TwoSteps.NextTurn(past, Turn(2), Completed(0, null)).IsWaiting();
        TwoSteps.NextTurn([.. past, Turn(2), Completed(0, null)], Turn(3), Resumed()).Asks("1:Second()");
    }

    [Fact]
    public void A_completion_reached_before_suspension_is_withheld_too()
    {
        var orchestrator = new Orchestrator(_ => Task.FromResult<object?>(1));
        orchestrator.FirstTurn(Turn(), Started(), Suspended()).IsWaiting();
        Assert.Equal("1", orchestrator.NextTurn([Turn(), Started(), Suspended()], Turn(1), Resumed()).Output());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_terminated_instance_ends_with_the_given_output_suspended_or_not(bool suspended)
    {
        HistoryEvent[] past = suspended ? [Turn(), Started(), Scheduled(0, "First"), Suspended()] : [Turn(), Started(), Scheduled(0, "First")];
        OrchestratorResponse response = TwoSteps.NextTurn(past, Turn(1), Terminated("\"enough\""), Completed(0, null));
        CompleteOrchestrationAction completion = Assert.Single(response.Actions).CompleteOrchestration;
        Assert.Equal((OrchestrationStatus.Terminated, "\"enough\""), (completion.OrchestrationStatus, completion.Result));
    }

    [Fact]
    public void What_happened_while_suspended_takes_effect_in_order()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            var taken = new List<int>();
            while (taken.Count < 3)
            {
                taken.Add(await context.WaitForExternalEvent<int>("n"));
            }

            return taken;
        });
        HistoryEvent[] past = [Turn(), Started(), Raised("n", "1"), Suspended()];
        orchestrator.NextTurn(past, Turn(1), Raised("n", "2"), Raised("n", "3")).IsWaiting();
        Assert.Equal("[1,2,3]", orchestrator.NextTurn(past, Turn(1), Raised("n", "2"), Raised("n", "3"), Suspended(), Resumed(), Resumed()).Output());
    }

    [Fact]
    public void An_instance_may_be_suspended_and_resumed_again_and_again()
    {
        HistoryEvent[] past = [Turn(), Started(), Suspended(), Turn(1), Resumed(), Scheduled(0, "First"), Turn(2), Suspended(), Completed(0, null)];
        TwoSteps.NextTurn(past, Turn(3)).IsWaiting();
        TwoSteps.NextTurn(past, Turn(3), Resumed(), Suspended()).IsWaiting();
        TwoSteps.NextTurn(past, Turn(3), Resumed(), Suspended(), Resumed()).Asks("1:Second()");
    }

    [Fact]
    public void The_time_of_a_turn_held_back_by_suspension_is_that_of_the_turn()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.CallActivityAsync("Work");
            return (context.CurrentUtcDateTime - Noon).TotalSeconds;
        });
        Assert.Equal("5", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work"), Turn(1), Suspended()], Turn(5), Completed(0, null), Turn(9), Resumed()).Output());
    }

    [Fact]
    public void Termination_while_suspended_ends_it_whatever_was_held_back()
    {
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "First"), Turn(1), Suspended(), Completed(0, null)];
        OrchestratorResponse response = TwoSteps.NextTurn(past, Turn(2), Raised("x"), Terminated(), Resumed(), Completed(0, null));
        CompleteOrchestrationAction completion = Assert.Single(response.Actions).CompleteOrchestration;
        Assert.Equal((OrchestrationStatus.Terminated, null), (completion.OrchestrationStatus, completion.Result));
    }
}
