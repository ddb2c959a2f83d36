using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;
using ActionKind = Microsoft.DurableTask.Protobuf.OrchestratorAction.OrchestratorActionTypeOneofCase;
using EventKind = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.Durable.Tests.Golden;

/// <summary>
/// Histories that are in storage somewhere are replayed by every later version of this worker, so its bytes must not change unnoticed. A
/// change that is meant: run these tests with <c>BATON_REWRITE_GOLDEN=1</c>, build again, and read the diff of the files.
/// </summary>
public sealed class GoldenTests
{
    public static TheoryData<string> Names => [.. GoldenCases.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_kept_request_gets_the_kept_response(string name)
    {
        GoldenCase expected = GoldenCases.All[name];
        if (Environment.GetEnvironmentVariable("BATON_REWRITE_GOLDEN") is "1")
        {
            byte[] bytes = expected.Request.ToByteArray();
            new GoldenFile(expected.Shows, bytes, expected.Answer(bytes)).Keep(name);
            return;
        }

        string text = GoldenFile.Kept(name);
        GoldenFile kept = GoldenFile.Parse(text);
        Assert.Equal(Convert.ToBase64String(kept.Response), Convert.ToBase64String(expected.Answer(kept.Request)));
        Assert.Equal(kept.Request, OrchestratorRequest.Parser.ParseFrom(kept.Request).ToByteArray());
        Assert.Equal(kept.Response, OrchestratorResponse.Parser.ParseFrom(kept.Response).ToByteArray());
        Assert.Equal(expected.Request.ToByteArray(), kept.Request);
        Assert.Equal(kept.ToString(), text);
    }

    [Fact]
    public void The_cases_hold_every_kind_of_event_that_the_worker_reads()
    {
        EventKind[] held = [.. GoldenCases.All.Values.SelectMany(each => each.Request.PastEvents.Concat(each.Request.NewEvents)).Select(e => e.EventTypeCase).Distinct()];
        Assert.Empty(Enum.GetValues<EventKind>().Except([EventKind.None]).Except(held));
    }

    [Fact]
    public void The_cases_hold_every_kind_of_action_and_end_that_the_worker_writes()
    {
        OrchestratorAction[] held = [.. GoldenCases.All.Values.SelectMany(each => OrchestratorResponse.Parser.ParseFrom(each.Answer(each.Request.ToByteArray())).Actions)];
        Assert.Equal(
            [ActionKind.ScheduleTask, ActionKind.CreateSubOrchestration, ActionKind.CreateTimer, ActionKind.SendEvent, ActionKind.CompleteOrchestration],
            held.Select(action => action.OrchestratorActionTypeCase).Distinct().Order());
        Assert.Equal(
            [OrchestrationStatus.Completed, OrchestrationStatus.ContinuedAsNew, OrchestrationStatus.Failed, OrchestrationStatus.Terminated],
            held.Select(action => action.CompleteOrchestration).OfType<CompleteOrchestrationAction>().Select(end => end.OrchestrationStatus).Distinct().Order());
    }
}
