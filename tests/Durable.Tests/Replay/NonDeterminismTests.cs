using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class NonDeterminismTests
{
    private static readonly Orchestrator CallsActivity = new(async context => await context.CallActivityAsync<int>("Wanted"));

    private static readonly Orchestrator CreatesTimer = new(async context =>
    {
        await context.CreateTimer(TimeSpan.FromSeconds(1), CancellationToken.None);
        return null;
    });

    [Fact]
    public void Another_activity_than_recorded() => Refuses(CallsActivity, Scheduled(0, "Recorded"), "TaskScheduled 'Recorded' with id 0", "activity 'Wanted'");

    [Fact]
    public void Another_kind_than_recorded()
    {
        Refuses(CallsActivity, TimerCreated(0), "TimerCreated with id 0", "activity 'Wanted'");
        Refuses(CallsActivity, ChildCreated(0, "Wanted"), "SubOrchestrationInstanceCreated 'Wanted' with id 0", "activity 'Wanted'");
        Refuses(CallsActivity, Sent(0, "Wanted"), "EventSent 'Wanted' with id 0", "activity 'Wanted'");
        Refuses(CreatesTimer, Scheduled(0, "Recorded"), "TaskScheduled 'Recorded' with id 0", "a timer");
    }

    [Fact]
    public void An_action_the_code_does_not_ask_for() => Refuses(CallsActivity, Scheduled(3, "Extra"), "TaskScheduled 'Extra' with id 3", "nothing");

    [Fact]
    public void An_action_recorded_twice() => Refuses(CallsActivity, [Scheduled(0, "Wanted"), Scheduled(0, "Wanted")], "TaskScheduled 'Wanted' with id 0", "nothing");

    [Fact]
    public void A_different_input_or_time_is_not_refused()
        => CallsActivity.NextTurn([Turn(), Started(), new HistoryEvent { EventId = 0, TaskScheduled = new() { Name = "Wanted", Input = "1" } }], Turn(1)).IsWaiting();

    private static void Refuses(Orchestrator orchestrator, HistoryEvent recorded, string itsName, string codesAction) => Refuses(orchestrator, [recorded], itsName, codesAction);

    private static void Refuses(Orchestrator orchestrator, HistoryEvent[] recorded, string itsName, string codesAction)
    {
        OrchestratorResponse response = orchestrator.NextTurn([Turn(), Started(), .. recorded], Turn(1));
        Microsoft.DurableTask.Protobuf.TaskFailureDetails failure = response.Failure();
        Assert.Equal("DurableTask.Core.Exceptions.NonDeterministicOrchestrationException", failure.ErrorType);
        Assert.Contains($"The history says {itsName}, but the code, replayed, asked for {codesAction} under that id.", failure.ErrorMessage, StringComparison.Ordinal);
        Assert.Single(response.Actions);
    }
}
