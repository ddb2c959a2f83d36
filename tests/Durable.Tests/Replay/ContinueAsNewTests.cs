using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class ContinueAsNewTests
{
    [Fact]
    public void Continues_with_the_new_input_and_carries_over_the_events_nobody_took()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.WaitForExternalEvent<int>("a");
            context.ContinueAsNew(new { Round = 2 });
            return "ignored";
        });
        CompleteOrchestrationAction completion = orchestrator
            .FirstTurn(Turn(), Started(), Raised("b", "1"), Raised("a", "2"), Raised("a", "3"), Raised("b", "4"))
            .Completion();
        Assert.Equal(OrchestrationStatus.ContinuedAsNew, completion.OrchestrationStatus);
        Assert.Equal("""{"round":2}""", completion.Result);
        Assert.Equal([("b", "1"), ("a", "3"), ("b", "4")], completion.CarryoverEvents.Select(e => (e.EventRaised.Name, e.EventRaised.Input)));
    }

    [Fact]
    public void Drops_the_events_nobody_took_when_told_to()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.WaitForExternalEvent<int>("a");
            context.ContinueAsNew(preserveUnprocessedEvents: false);
            return null;
        });
        CompleteOrchestrationAction completion = orchestrator.FirstTurn(Turn(), Started(), Raised("b", "1"), Raised("a", "2")).Completion();
        Assert.Empty(completion.CarryoverEvents);
        Assert.Null(completion.Result);
    }

    [Fact]
    public void An_event_after_the_call_goes_to_the_next_execution_even_if_somebody_still_waits_for_it()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            Task<int> unused = context.WaitForExternalEvent<int>("late");
            Task<int> go = context.WaitForExternalEvent<int>("go");
            await Task.WhenAny(unused, go);
            context.ContinueAsNew();
            return null;
        });
        CompleteOrchestrationAction completion = orchestrator.FirstTurn(Turn(), Started(), Raised("go", "1"), Raised("late", "2")).Completion();
        Assert.Equal("late", Assert.Single(completion.CarryoverEvents).EventRaised.Name);
    }

    [Fact]
    public void Waits_for_open_tasks_first_so_that_their_outcomes_cannot_reach_the_next_execution()
    {
        var orchestrator = new Orchestrator(context =>
        {
            _ = context.CallActivityAsync("Work");
            context.ContinueAsNew(1);
            return Task.FromResult<object?>(null);
        });
        orchestrator.FirstTurn(Turn(), Started()).Asks("0:Work()");
        OrchestratorResponse response = orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work"), Raised("x")], Turn(1), Completed(0, null));
        Assert.Equal(OrchestrationStatus.ContinuedAsNew, response.Completion().OrchestrationStatus);
        Assert.Single(response.Completion().CarryoverEvents);
    }

    [Fact]
    public void Sends_the_other_actions_of_the_turn_too()
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.SendEvent("other", "Go", payload: 1);
            context.ContinueAsNew();
            return Task.FromResult<object?>(null);
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.NotNull(response.Actions[0].SendEvent);
        Assert.Equal(1, response.Actions[1].Id);
    }

    [Fact]
    public void Fails_rather_than_hang_when_the_code_waits_for_an_event_after_it()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            context.ContinueAsNew();
            return await context.WaitForExternalEvent<int>("never");
        });
        Assert.Contains("waits", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2.0", "2.0")]
    [InlineData(" ", null)]
    [InlineData(null, null)]
    public void Goes_to_a_new_version_when_told_to(string? asked, string? sent)
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.ContinueAsNew(new ContinueAsNewOptions { NewInput = 5, NewVersion = asked, PreserveUnprocessedEvents = false });
            return Task.FromResult<object?>(null);
        });
        CompleteOrchestrationAction completion = orchestrator.FirstTurn(Turn(), Started(), Raised("x", "1")).Completion();
        Assert.Equal((OrchestrationStatus.ContinuedAsNew, "5", sent), (completion.OrchestrationStatus, completion.Result, completion.NewVersion));
        Assert.Empty(completion.CarryoverEvents);
    }

    [Fact]
    public void The_last_call_counts()
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.ContinueAsNew(1);
            context.ContinueAsNew(2, preserveUnprocessedEvents: false);
            return Task.FromResult<object?>(null);
        });
        CompleteOrchestrationAction completion = orchestrator.FirstTurn(Turn(), Started(), Raised("x", "1")).Completion();
        Assert.Equal("2", completion.Result);
        Assert.Empty(completion.CarryoverEvents);
    }

    [Fact]
    public void Code_that_fails_after_it_has_failed()
    {
        var orchestrator = new Orchestrator(context =>
        {
            context.ContinueAsNew(1);
            throw new InvalidOperationException("after all");
        });
        Assert.Equal("after all", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage);
    }

    [Fact]
    public void Carried_over_events_come_first_in_the_next_execution()
    {
        var orchestrator = new Orchestrator(async context => new[] { await context.WaitForExternalEvent<int>("a"), await context.WaitForExternalEvent<int>("a") });
        Assert.Equal("[1,2]", orchestrator.FirstTurn(Turn(), Started(), Raised("a", "1"), Raised("A", "2"), Raised("a", "3")).Output());
    }
}
