using Baton.Durable;
using Baton.OrchestrationApp.Throughput;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Spectre.Console;

namespace Baton.Bench.Orchestrations;

/// <summary>Turns in the worker alone: base64 in, base64 out.</summary>
internal static class ReplayBench
{
    private const int Rounds = 50;

    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public static void Print()
    {
        var table = new Table().Border(TableBorder.Markdown).AddColumns("one turn of the worker", "history", "new", "request", "median", "worst");
        Row(table, "replay, one activity after the other", Fanning.SequenceAsync, Sequence(2_500), fresh: 2);
        Row(table, "replay, all activities at once", Fanning.FanOutAsync, FanOut(5_000), fresh: 2);
        foreach (var fresh in (int[])[2, 101, 1_001])
        {
            Row(table, "fan-out of 1,000", Fanning.FanOutAsync, FanOut(1_000), fresh);
            Row(table, "fan-out of 10,000", Fanning.FanOutAsync, FanOut(10_000), fresh);
        }

        AnsiConsole.Write(table);
    }

    private static void Row(Table table, string what, Func<TaskOrchestrationContext, Task<long>> code, List<HistoryEvent> history, int fresh)
    {
        var request = new OrchestratorRequest { InstanceId = "bench" };
        request.PastEvents.AddRange(history.SkipLast(fresh));
        request.NewEvents.AddRange(history.TakeLast(fresh));
        var text = Convert.ToBase64String(request.ToByteArray());
        var samples = new Samples();
        for (var round = -10; round < Rounds; round++)
        {
            var start = TimeProvider.System.GetTimestamp();
            var answer = OrchestrationRunner.Run(text, _ => async context => await code(context));
            if (round >= 0)
            {
                samples.Add(TimeProvider.System.GetElapsedTime(start).TotalMilliseconds);
            }

            var status = OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(answer)).Actions.Single().CompleteOrchestration?.OrchestrationStatus;
            if (status is not OrchestrationStatus.Completed)
            {
                throw new InvalidOperationException($"{what}: the turn ended as {status}.");
            }
        }

        table.AddRow(what, $"{history.Count:N0} events", $"{fresh:N0}", $"{text.Length / 1024:N0} KiB", Samples.Ms(samples.Median), Samples.Ms(samples.Worst));
    }

    // Four events for each activity: scheduled, end of the turn, start of the next, completed.
    private static List<HistoryEvent> Sequence(int activities)
    {
        var history = Begin(activities);
        for (var id = 0; id < activities; id++)
        {
            history.Add(Scheduled(id));
            history.Add(new HistoryEvent { EventId = -1, Timestamp = At(id), OrchestratorCompleted = new OrchestratorCompletedEvent() });
            history.Add(new HistoryEvent { EventId = -1, Timestamp = At(id + 1), OrchestratorStarted = new OrchestratorStartedEvent() });
            history.Add(Completed(id));
        }

        return history;
    }

    private static List<HistoryEvent> FanOut(int activities)
    {
        var history = Begin(activities);
        history.AddRange(Enumerable.Range(0, activities).Select(Scheduled));
        history.Add(new HistoryEvent { EventId = -1, Timestamp = At(0), OrchestratorCompleted = new OrchestratorCompletedEvent() });
        history.Add(new HistoryEvent { EventId = -1, Timestamp = At(1), OrchestratorStarted = new OrchestratorStartedEvent() });
        history.AddRange(Enumerable.Range(0, activities).Select(Completed));
        return history;
    }

    private static List<HistoryEvent> Begin(int input) =>
    [
        new HistoryEvent { EventId = -1, Timestamp = At(0), OrchestratorStarted = new OrchestratorStartedEvent() },
        new HistoryEvent { EventId = -1, Timestamp = At(0), ExecutionStarted = new ExecutionStartedEvent { Name = "Bench", Input = $"{input}", OrchestrationInstance = new OrchestrationInstance { InstanceId = "bench" } } },
    ];

    private static HistoryEvent Scheduled(int id) => new() { EventId = id, Timestamp = At(id), TaskScheduled = new TaskScheduledEvent { Name = nameof(Fanning.Echo), Input = $"{id}" } };

    private static HistoryEvent Completed(int id) => new() { EventId = -1, Timestamp = At(id), TaskCompleted = new TaskCompletedEvent { TaskScheduledId = id, Result = $$"""{"ok":{{id}}}""" } };

    private static Timestamp At(int milliseconds) => Start.AddMilliseconds(milliseconds).ToTimestamp();
}
