using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

/// <summary>An orchestration with something of everything, run turn by turn as a host would, and cut elsewhere.</summary>
public sealed class WholeHistoryTests
{
    private static readonly string[] Channels = ["c0", "c1", "c2"];

    private static readonly Orchestrator Promotion = new(async context =>
    {
        context.SetCustomStatus("FenceIn");
        Guid id = context.NewGuid();
        long broadcast = await context.CallActivityAsync<long>("FenceIn", id);
        context.SetCustomStatus("Append");
        var appended = new List<string>();
        string[] missing = Channels;
        for (TimeSpan wait = TimeSpan.FromMilliseconds(50); missing.Length > 0; wait *= 2)
        {
            bool[] ok = await Task.WhenAll(missing.Select(channel => AppendAsync(context, broadcast, channel)));
            appended.AddRange(missing.Where((_, i) => ok[i]));
            missing = [.. missing.Where((_, i) => !ok[i])];
            if (missing.Length > 0)
            {
                await context.CreateTimer(wait, CancellationToken.None);
            }
        }

        string approval = await context.WaitForExternalEvent<string>("Approve", TimeSpan.FromHours(1));
        context.SendEvent("watcher", "Promoted", broadcast);
        int supplemented = await context.CallSubOrchestratorAsync<int>("Supplement", broadcast);
        return new { id, broadcast, appended, approval, supplemented, at = context.CurrentUtcDateTime };
    });

    [Fact]
    public void Runs_to_its_end_and_every_cut_between_past_and_new_gives_the_same_last_turn()
    {
        (List<HistoryEvent> history, OrchestratorResponse last) = RunToEnd();
        Assert.Equal(
            """{"id":"0a7c","broadcast":7,"appended":["c0","c2","c1"],"approval":"yes","supplemented":3,"at":"2026-01-02T12:00:06Z"}"""
                .Replace("0a7c", FirstId(), StringComparison.Ordinal),
            last.Output());

        for (int cut = 0; cut <= history.Count; cut++)
        {
            Assert.Equal(last, Promotion.NextTurn(history.Take(cut), [.. history.Skip(cut)]));
        }
    }

    [Fact]
    public void Every_prefix_of_the_history_can_be_replayed_without_failing()
    {
        (List<HistoryEvent> history, _) = RunToEnd();
        for (int length = 2; length < history.Count; length++)
        {
            Assert.DoesNotContain(Promotion.NextTurn(history.Take(length)).Actions, action => action.CompleteOrchestration?.OrchestrationStatus is OrchestrationStatus.Failed);
        }
    }

    private static async Task<bool> AppendAsync(TaskOrchestrationContext context, long broadcast, string channel)
    {
        try
        {
            await context.CallActivityAsync("Append", new { broadcast, channel });
            return true;
        }
        catch (TaskFailedException)
        {
            return false;
        }
    }

    private static string FirstId()
        => new Orchestrator(context => Task.FromResult<object?>(context.NewGuid())).FirstTurn(Turn(), Started()).Output()!.Trim('"');

    // What a host does: record the actions of a turn, let things happen, run the next turn. One second a turn.
    private static (List<HistoryEvent> History, OrchestratorResponse Last) RunToEnd()
    {
        List<HistoryEvent> history = [];
        HistoryEvent[] news = [Turn(), Started()];
        var failedOnce = new HashSet<string>(StringComparer.Ordinal);
        for (int turn = 1; turn < 50; turn++)
        {
            OrchestratorResponse response = Promotion.NextTurn(history, news);
            history.AddRange(news);
            if (response.Actions.Any(action => action.CompleteOrchestration is not null))
            {
                return (history, response);
            }

            List<HistoryEvent> happens = [];
            foreach (OrchestratorAction action in response.Actions)
            {
                (HistoryEvent recorded, HistoryEvent? outcome) = Perform(action, failedOnce);
                history.Add(recorded);
                happens.AddRange(outcome is null ? [] : [outcome]);
            }

            history.Add(TurnEnd());
            news = [Turn(turn), .. happens];
        }

        throw new InvalidOperationException("The orchestration did not end.");
    }

    private static (HistoryEvent Recorded, HistoryEvent? Outcome) Perform(OrchestratorAction action, HashSet<string> failedOnce) => action switch
    {
        { ScheduleTask.Name: "FenceIn" } => (Scheduled(action.Id, "FenceIn"), Completed(action.Id, 7L)),
        { ScheduleTask: { } append } when append.Input.Contains("c1", StringComparison.Ordinal) && failedOnce.Add("c1")
            => (Scheduled(action.Id, "Append"), Threw(action.Id, new IOException("no leader"))),
        { ScheduleTask: not null } => (Scheduled(action.Id, "Append"), Completed(action.Id, null)),
        { CreateTimer.FireAt: { } fireAt } when fireAt > Timestamp.FromDateTime(Noon.AddMinutes(1)) => (TimerCreated(action.Id), Raised("approve", "\"yes\"")),
        { CreateTimer: not null } => (TimerCreated(action.Id), TimerFired(action.Id)),
        { SendEvent: { } sent } => (Sent(action.Id, sent.Name), null),
        _ => (ChildCreated(action.Id, "Supplement"), ChildCompleted(action.Id, "3")),
    };
}
