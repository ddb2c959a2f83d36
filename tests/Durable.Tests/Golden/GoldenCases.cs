using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;
using Details = Microsoft.DurableTask.Protobuf.TaskFailureDetails;

namespace Baton.Durable.Tests.Golden;

/// <summary>The cases, by the name of their file.</summary>
internal static class GoldenCases
{
    private static readonly Details Refused = new()
    {
        ErrorType = "Baton.Core.Api.ApiException",
        ErrorMessage = "lock held",
        StackTrace = "   at Somewhere()",
        IsNonRetriable = true,
        InnerFailure = new Details { ErrorType = "System.IO.IOException", ErrorMessage = string.Empty },
        Properties =
        {
            ["apiCode"] = Value.ForString("Conflict"),
            ["details"] = Value.ForStruct(new Struct { Fields = { ["list"] = Value.ForList(Value.ForNumber(1.5), Value.ForBool(true), Value.ForNull()) } }),
        },
    };

    public static IReadOnlyDictionary<string, GoldenCase> All { get; } = new SortedDictionary<string, GoldenCase>(StringComparer.Ordinal)
    {
        ["started"] = new("Everything that a start can carry; an activity gets the version", StartedAsync, Turn1(Beginning())),
        ["sequence"] = new("The second of two activities", SequenceAsync, Turn2([Turn(), Started("4"), Scheduled(0, "Add"), TurnEnd()], Completed(0, 5))),
        ["fan-out"] = new("Three activities at once, one has ended", FanOutAsync, Turn2([Turn(), Started(), Scheduled(0, "Work"), Scheduled(1, "WORK"), Scheduled(2, "Work")], Completed(1, 1))),
        ["fan-in"] = new("The last of three activities ends", FanOutAsync, Turn2([Turn(), Started(), Scheduled(0, "Work"), Scheduled(1, "Work"), Scheduled(2, "Work"), Completed(1, 1), Completed(0, 2)], Completed(2, 3), Completed(2, 4))),
        ["envelope-text"] = new("An activity's result that travels as text", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Completed(0, "2026-01-02T03:04:05.6780000Z"))),
        ["envelope-failure"] = new("An activity's failure in its envelope", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], CompletedRaw(0, """{"failed":{"errorType":"System.IO.IOException","errorMessage":"broken","stackTrace":"   at There()","isNonRetriable":false,"properties":{"n":2}}}"""))),
        ["task-failed"] = new("A failure that the host reports, with causes and properties, ends the orchestration", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Failed(0, Refused))),
        ["task-failed-without-details"] = new("A failure that the host reports without details", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Nowhere")], Failed(0))),
        ["not-deterministic"] = new("The history holds another activity than the code asks for", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Other")])),
        ["code-failed"] = new("The code fails; an event that was due is still sent", CodeFailsAsync, Turn1(Started())),
        ["retry"] = new("A failure leads to a timer", RetryAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Failed(0))),
        ["children"] = new("Sub-orchestrations with and without an id, with a version and tags", ChildrenAsync, Turn1(Started())),
        ["children-ended"] = new("One child completed, the other failed", ChildrenAsync, Turn2([Turn(), Started(), ChildCreated(0, "Child"), ChildCreated(1, "Child")], ChildCompleted(0, "\"ok\""), ChildFailed(1, Refused))),
        ["timers"] = new("A short timer, and a long one that is cut", TimersAsync, Turn1(Started())),
        ["timers-fired"] = new("The short one fired, the first piece of the long one fired, another was the host's own", TimersAsync, Turn2([Turn(), Started(), TimerCreated(0), TimerCreated(1), TimerCreated(-100)], TimerFired(0), TimerFired(1), TimerFired(-100))),
        ["timer-cancelled"] = new("A cancelled timer does not hold the orchestration open", TimerCancelledAsync, Turn2([Turn(), Started(), TimerCreated(0)], Raised("stop"), TimerFired(0))),
        ["events"] = new("Events by name in any case, first come first served; absent, empty and real payloads", EventsAsync, Turn1(Started(), Raised("N", "1"), Raised("n"), Raised("n", string.Empty), Raised("other", "2"))),
        ["events-awaited"] = new("Nothing to do but to wait: only the instance's id", EventsAsync, Turn1(Started())),
        ["event-sent"] = new("An event for another instance", SendsAsync, Turn1(Started())),
        ["event-sent-recorded"] = new("The history holds that event", SendsAsync, Turn2([Turn(), Started(), Sent(0, "go")], Raised("answer", "\"yes\""))),
        ["continue-as-new"] = new("The next execution gets an input, a version and the events nobody took", ContinuesAsync, Turn1(Started("1"), Raised("late", "1"), Raised("a", "2"), Raised("a", string.Empty), Raised("later"))),
        ["custom-status"] = new("A status set in the replay and again", StatusAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Completed(0, null))),
        ["suspended"] = new("A suspended instance sends nothing but its status", StatusAsync, Turn2([Turn(), Started()], Suspended(), Raised("x", "1"))),
        ["resumed"] = new("Once resumed it sends what it withheld", StatusAsync, Turn2([Turn(), Started(), Suspended(), Raised("x", "1")], Resumed())),
        ["terminated"] = new("Ended from outside", WorkAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Terminated("\"enough\""), Completed(0, 1))),
        ["book-keeping"] = new("Events that change nothing", WorkAsync, Turn2([Turn(), Started(), .. BookKeeping(), Scheduled(0, "Work"), TurnEnd()], Completed(0, "done"))),
        ["ids"] = new("Ids made in code, in two turns", IdsAsync, Turn2([Turn(), Started(), Scheduled(0, "Work")], Completed(0, null))),
        ["history-left-out"] = new("A request without its past", WorkAsync, WithoutHistory()),
        ["unknown-fields"] = new("Fields that this worker does not know are kept", WorkAsync, WithUnknownFields()),
    };

    private static OrchestratorRequest Turn1(params HistoryEvent[] news) => new() { InstanceId = InstanceId, NewEvents = { Turn(), news } };

    private static OrchestratorRequest Turn2(IEnumerable<HistoryEvent> past, params HistoryEvent[] news)
        => new() { InstanceId = InstanceId, PastEvents = { past }, NewEvents = { Turn(1), news, TurnEnd() } };

    private static HistoryEvent Beginning()
    {
        HistoryEvent started = Started("\"Grüße 🚀\"");
        started.ExecutionStarted.Version = "1.2";
        started.ExecutionStarted.ParentInstance = new ParentInstanceInfo
        {
            TaskScheduledId = 4,
            Name = "Above",
            Version = string.Empty,
            OrchestrationInstance = new OrchestrationInstance { InstanceId = "p1", ExecutionId = "e0" },
        };
        started.ExecutionStarted.ScheduledStartTimestamp = Timestamp.FromDateTime(Noon);
        started.ExecutionStarted.ParentTraceContext = new TraceContext { TraceParent = "00-1-2-01", SpanID = "2", TraceState = "a=b" };
        started.ExecutionStarted.OrchestrationSpanID = "3";
        started.ExecutionStarted.Tags["team"] = "a";
        return started;
    }

    private static HistoryEvent[] BookKeeping() =>
    [
        new() { EventId = -1, GenericEvent = new() { Data = "x" } },
        new() { EventId = -1, HistoryState = new() },
        new() { EventId = -1, ExecutionRewound = new() { Reason = "by hand" } },
        new() { EventId = -1, ContinueAsNew = new() { Input = "1" } },
        new() { EventId = -1, ExecutionCompleted = new() { OrchestrationStatus = OrchestrationStatus.Failed, Result = "1", FailureDetails = Refused } },
    ];

    private static OrchestratorRequest WithoutHistory()
    {
        OrchestratorRequest request = Turn1(Completed(0, 1));
        request.Properties["IncludeState"] = Value.ForBool(false);
        return request;
    }

    private static OrchestratorRequest WithUnknownFields()
    {
        OrchestratorRequest request = Turn1(Started());
        request.ExecutionId = string.Empty;
        request.Properties["IncludeState"] = Value.ForBool(true);
        request.Properties["ExtendedSessionIdleTimeoutInSeconds"] = Value.ForNumber(30);

        // Field 5, entity parameters, and field 8, the trace context: a length and as many bytes.
        byte[] bytes = [.. request.ToByteArray(), 0x2A, 0x02, 0x0A, 0x00, 0x42, 0x03, 0x0A, 0x01, 0x31];
        return OrchestratorRequest.Parser.ParseFrom(bytes);
    }

    private static async Task<object?> StartedAsync(TaskOrchestrationContext context)
    {
        await context.CallActivityAsync("Work", new { said = context.GetInput<string>(), parent = context.Parent!.InstanceId, none = string.Empty });
        return null;
    }

    private static async Task<object?> WorkAsync(TaskOrchestrationContext context) => await context.CallActivityAsync<string>("Work");

    private static async Task<object?> SequenceAsync(TaskOrchestrationContext context)
        => await context.CallActivityAsync<int>("Double", await context.CallActivityAsync<int>("Add", new[] { context.GetInput<int>(), 1 }));

    private static async Task<object?> FanOutAsync(TaskOrchestrationContext context)
        => (await Task.WhenAll(Enumerable.Range(0, 3).Select(n => context.CallActivityAsync<int>("Work", n)))).Sum();

    private static Task<object?> CodeFailsAsync(TaskOrchestrationContext context)
    {
        context.SetCustomStatus("failing");
        context.SendEvent("watcher", "Failing", new { at = 1 });
        return Task.FromException<object?>(new InvalidOperationException("no way", new FormatException("bad digit")));
    }

    private static async Task<object?> RetryAsync(TaskOrchestrationContext context)
        => await context.CallActivityAsync<int>("Work", TaskOptions.FromRetryPolicy(new RetryPolicy(3, TimeSpan.FromSeconds(2))));

    private static async Task<object?> ChildrenAsync(TaskOrchestrationContext context)
    {
        Task<string> first = context.CallSubOrchestratorAsync<string>("Child", new { n = 1 });
        var options = new SubOrchestrationOptions(new TaskOptions(tags: new Dictionary<string, string>(StringComparer.Ordinal) { ["team"] = "a" }), "second") { Version = "2" };
        try
        {
            await context.CallSubOrchestratorAsync("Child", options);
            return null;
        }
        catch (TaskFailedException failed)
        {
            return $"{await first}, then {failed.FailureDetails} because {failed.FailureDetails.InnerFailure}";
        }
    }

    private static async Task<object?> TimersAsync(TaskOrchestrationContext context)
    {
        await Task.WhenAll(context.CreateTimer(TimeSpan.FromMilliseconds(1.5), CancellationToken.None), context.CreateTimer(Noon.AddDays(7), CancellationToken.None));
        return null;
    }

    private static async Task<object?> TimerCancelledAsync(TaskOrchestrationContext context)
    {
        await context.WaitForExternalEvent<int>("stop", TimeSpan.FromDays(1));
        return "stopped";
    }

    private static async Task<object?> EventsAsync(TaskOrchestrationContext context)
        => new[] { await context.WaitForExternalEvent<int?>("n"), await context.WaitForExternalEvent<int?>("n"), await context.WaitForExternalEvent<int?>("N") };

    private static async Task<object?> SendsAsync(TaskOrchestrationContext context)
    {
        context.SendEvent("other", "Go", new { text = "é" });
        return await context.WaitForExternalEvent<string>("answer");
    }

    private static async Task<object?> ContinuesAsync(TaskOrchestrationContext context)
    {
        int taken = await context.WaitForExternalEvent<int>("a");
        context.ContinueAsNew(new ContinueAsNewOptions { NewInput = taken + context.GetInput<int>(), NewVersion = "2" });
        return "ignored";
    }

    private static async Task<object?> StatusAsync(TaskOrchestrationContext context)
    {
        context.SetCustomStatus(new { step = "Append", done = 0 });
        await context.CallActivityAsync("Work");
        context.SetCustomStatus("fertig: Grüße");
        await context.CallActivityAsync("Work", string.Empty);
        return null;
    }

    private static async Task<object?> IdsAsync(TaskOrchestrationContext context)
    {
        Guid first = context.NewGuid();
        await context.CallActivityAsync("Work");
        return new[] { first, context.NewGuid() };
    }
}
