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
}
