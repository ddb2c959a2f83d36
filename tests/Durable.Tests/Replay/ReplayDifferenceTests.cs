using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

/// <summary>An input or time that differs from the recorded one breaks no rule, but is the trace of code that is not deterministic.</summary>
public sealed class ReplayDifferenceTests
{
    private static readonly HistoryEvent Scheduled0 = new() { EventId = 0, TaskScheduled = new() { Name = "Work", Input = "1" } };
    private static readonly HistoryEvent Child0 = new() { EventId = 0, SubOrchestrationInstanceCreated = new() { Name = "Child", Input = "1" } };
    private static readonly HistoryEvent Sent0 = new() { EventId = 0, EventSent = new() { Name = "Go", Input = "1" } };
    private static readonly HistoryEvent Timer0 = new() { EventId = 0, TimerCreated = new() { FireAt = Timestamp.FromDateTime(Noon.AddSeconds(1)) } };

    [Fact]
    public void Equal_inputs_and_times_are_not_mentioned()
    {
        Assert.Empty(Replayed(context => context.CallActivityAsync("Work", 1), Scheduled0));
        Assert.Empty(Replayed(context => context.CallSubOrchestratorAsync("Child", 1), Child0));
        Assert.Empty(Replayed(context => context.CreateTimer(TimeSpan.FromSeconds(1), CancellationToken.None), Timer0));
    }

    [Fact]
    public void What_the_history_leaves_out_is_not_compared()
        => Assert.Empty(Replayed(context => context.CallActivityAsync("Work", 1), Scheduled(0, "Work")));

    [Fact]
    public void Another_input_of_an_activity_is_logged_with_what_was_recorded_and_asked_and_what_to_use()
    {
        (string category, LogLevel level, string text) = Assert.Single(Replayed(context => context.CallActivityAsync("Work", 2), Scheduled0));
        Assert.Equal(("Baton.Durable.Replay.OrchestrationTurn", LogLevel.Warning), (category, level));
        Assert.Contains("the input of activity 'Work' with id 0 was recorded as 1, but replayed the code asks for 2.", text, StringComparison.Ordinal);
        Assert.Contains("Instead of the wall clock use CurrentUtcDateTime", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_input_of_a_sub_orchestration_another_payload_and_another_time_are_logged()
    {
        Assert.Contains("input of sub-orchestration 'Child'", Replayed(context => context.CallSubOrchestratorAsync("Child", 2), Child0)[0].Text, StringComparison.Ordinal);
        Assert.Contains("was recorded as 1, but replayed the code asks for (none)", Replayed(context => context.CallSubOrchestratorAsync("Child"), Child0)[0].Text, StringComparison.Ordinal);
        Assert.Contains("payload of event 'Go'", Replayed(SendsAsync, Sent0)[0].Text, StringComparison.Ordinal);
        Assert.Contains(
            "the time of a timer with id 0 was recorded as 2026-01-02T12:00:01.0000000Z, but replayed the code asks for 2026-01-02T12:00:02.0000000Z",
            Replayed(context => context.CreateTimer(TimeSpan.FromSeconds(2), CancellationToken.None), Timer0)[0].Text,
            StringComparison.Ordinal);

        static Task SendsAsync(TaskOrchestrationContext context)
        {
            context.SendEvent("other", "Go", 2);
            return context.WaitForExternalEvent<int>("n");
        }
    }

    [Fact]
    public void Only_the_first_of_a_turn_is_logged_and_shown_in_a_bounded_length_around_the_difference()
    {
        string recorded = $"\"{new string('a', 10_000)}X{new string('b', 10_000)}\"";
        (_, _, string text) = Assert.Single(Replayed(
            async context =>
            {
                Task first = context.CallActivityAsync("Work", $"{new string('a', 10_000)}Y{new string('b', 10_000)}");
                await context.CallActivityAsync("Work", 3);
                await first;
            },
            new HistoryEvent { EventId = 0, TaskScheduled = new() { Name = "Work", Input = recorded } },
            new HistoryEvent { EventId = 1, TaskScheduled = new() { Name = "Work", Input = "4" } }));
        Assert.Contains("aaaXbbb", text, StringComparison.Ordinal);
        Assert.Contains("aaaYbbb", text, StringComparison.Ordinal);
        Assert.Contains("with id 0", text, StringComparison.Ordinal);
        Assert.InRange(text.Length, 400, 1000);
    }

    private static IReadOnlyList<(string Category, LogLevel Level, string Text)> Replayed(Func<TaskOrchestrationContext, Task> codeAsync, params HistoryEvent[] recorded)
    {
        using var lines = new Lines();
        var orchestrator = new Orchestrator(
            async context =>
            {
                await codeAsync(context);
                return null;
            },
            lines);
        orchestrator.NextTurn([Turn(), Started(), .. recorded], Turn(1)).IsWaiting();
        return lines.Written;
    }
}
