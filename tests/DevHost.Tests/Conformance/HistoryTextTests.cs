using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>The normal form makes alike what two hosts may do differently, and nothing else.</summary>
public sealed class HistoryTextTests
{
    private static readonly DateTime Start = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    [Fact]
    public void Turns_and_times_are_left_out()
    {
        string[] expected = ["Greet one", "  ExecutionStarted Greet \"Tokyo\"", "  TaskScheduled #0 Say 1", "  TaskCompleted #0 2", "  ExecutionCompleted Completed 2"];

        Assert.Equal(expected, Lines([Turn(), Started(), Scheduled(0), TurnEnd(), Turn(9), Completed(0), TurnEnd(), Ended()]));
        Assert.Equal(expected, Lines([Turn(5), Started(), Scheduled(0), Completed(0), Ended()]));
    }

    [Fact]
    public void Ids_count_from_the_workers_first()
    {
        HistoryEvent[] fromOne = [Turn(), Started(), Scheduled(1), Completed(1), Timer(2, 50)];
        HistoryEvent[] fromZero = [Turn(), Started(), Scheduled(0), Completed(0), Timer(1, 50)];

        Assert.Equal(Lines(fromOne, WorkerKind.Peer), Lines(fromZero, WorkerKind.Baton with { UsesEnvelopes = false }));
    }

    [Fact]
    public void Completions_at_the_same_time_may_come_in_any_order()
    {
        Assert.Equal(
            Lines([Scheduled(0), Scheduled(1), Completed(0), Completed(1), Ended()]),
            Lines([Scheduled(0), Scheduled(1), Completed(1), Turn(3), Completed(0), Ended()]));
    }

    [Fact]
    public void Completions_with_something_between_them_may_not()
    {
        AssertDiffer(
            [Scheduled(0), Scheduled(1), Completed(0), Scheduled(2), Completed(1)],
            [Scheduled(0), Scheduled(1), Completed(1), Scheduled(2), Completed(0)]);
        AssertDiffer(
            [Scheduled(0), Completed(0), Raised("a", "1")],
            [Scheduled(0), Raised("a", "1"), Completed(0)]);
    }

    [Fact]
    public void Events_keep_their_order() => AssertDiffer([Raised("a", "1"), Raised("a", "2")], [Raised("a", "2"), Raised("a", "1")]);

    [Fact]
    public void A_lost_or_doubled_completion_is_seen()
    {
        AssertDiffer([Scheduled(0), Completed(0)], [Scheduled(0)]);
        AssertDiffer([Scheduled(0), Completed(0)], [Scheduled(0), Completed(0), Completed(0)]);
    }

    [Fact]
    public void A_timer_counts_from_its_turn()
    {
        HistoryEvent[] late = [Turn(100), Timer(0, 250)];

        Assert.Equal(["? one", "  TimerCreated #0 after 150 ms"], Lines(late));
        AssertDiffer(late, [Turn(100), Timer(0, 251)]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9_998)]
    [InlineData(-1)]
    public void A_turns_fraction_of_a_millisecond_does_not_count(int ticks)
    {
        var turn = new HistoryEvent { Timestamp = Start.AddTicks(ticks).ToTimestamp(), OrchestratorStarted = new() };

        Assert.Equal(["? one", "  TimerCreated #0 after 150 ms"], Lines([turn, Timer(0, 150)]));
    }

    [Fact]
    public void Ids_that_are_made_up_keep_only_which_are_the_same()
    {
        var (a, b) = (Guid.NewGuid().ToString(), Guid.NewGuid().ToString());

        Assert.Equal(Lines([Raised("x", $"\"{a}\""), Raised("y", $"\"{a}\"")]), Lines([Raised("x", $"\"{b}\""), Raised("y", $"\"{b}\"")]));
        AssertDiffer([Raised("x", $"\"{a}\""), Raised("y", $"\"{a}\"")], [Raised("x", $"\"{a}\""), Raised("y", $"\"{b}\"")]);
    }

    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("\"é\\u0041\"", "\"\\u00e9A\"")]
    [InlineData("{ \"a\": [1] }", "{\"a\":[1]}")]
    [InlineData("null", null)]
    public void Payloads_are_compared_as_values(string left, string? right) => Assert.Equal(Lines([Raised("x", left)]), Lines([Raised("x", right)]));

    [Theory]
    [InlineData("1", "\"1\"")]
    [InlineData("0.1", "0.10000000000000002")]
    [InlineData("9007199254740991", "9007199254740990")]
    [InlineData("\"\"", null)]
    [InlineData("[]", "{}")]
    [InlineData("{\"a\":null}", "{}")]
    [InlineData("\"2026-01-02T03:04:05.6780000Z\"", "\"2026-01-02T03:04:05.678Z\"")]
    public void Different_values_differ(string left, string? right) => AssertDiffer([Raised("x", left)], [Raised("x", right)]);

    [Fact]
    public void A_large_payload_is_shortened_and_still_compared_whole()
    {
        var large = new string('x', 1_000);

        Assert.All(Lines([Raised("x", $"\"{large}\"")]), line => Assert.True(line.Length < 200, line));
        AssertDiffer([Raised("x", $"\"{large}y\"")], [Raised("x", $"\"{large}z\"")]);
    }

    [Fact]
    public void An_envelope_is_opened()
    {
        Assert.Equal(Lines([Completed(0, "2")]), Lines([Completed(0, """{"ok":2}""")], WorkerKind.Baton));
        Assert.Equal(Lines([Completed(0, "2")]), Lines([Completed(0, """{"okText":"2"}""")], WorkerKind.Baton));
        Assert.Equal(
            Lines([Failed(0, "boom")]),
            Lines([Completed(0, """{"failed":{"errorType":"T","errorMessage":"boom"}}""")], WorkerKind.Baton));
    }

    [Fact]
    public void The_words_around_a_tasks_failure_become_the_same()
    {
        string[] expected = ["? one", "  TaskFailed #0 task #2 failed > task #0 failed > boom"];

        Assert.Equal(expected, Lines([Failed(0, "Task 'Deep' (#2) failed: Task 'Fail' (#0) failed: boom", inner: "Task 'Fail' (#0) failed: boom")]));
        Assert.Equal(expected, Lines([Failed(1, "Sub-orchestration task #3 failed: Activity task #1 failed: boom")], WorkerKind.Peer));
    }

    [Fact]
    public void What_a_failure_says_is_compared()
    {
        AssertDiffer([Failed(0, "boom")], [Failed(0, "bang")]);
        AssertDiffer([Failed(0, "Task 'Fail' (#0) failed: boom")], [Failed(0, "boom")]);
        AssertDiffer([Failed(0, "boom", inner: "because")], [Failed(0, "boom")]);
        AssertDiffer([Failed(0, "boom")], [new HistoryEvent { TaskFailed = new TaskFailedEvent() }]);
    }

    private static void AssertDiffer(HistoryEvent[] left, HistoryEvent[] right) => Assert.NotEqual(Lines(left), Lines(right));

    private static string[] Lines(HistoryEvent[] events, WorkerKind? worker = null) =>
        HistoryText.Of([new InstanceHistory("one", events)], worker ?? new WorkerKind("test", FirstId: 0, UsesEnvelopes: false));

    private static Timestamp At(int milliseconds) => Start.AddMilliseconds(milliseconds).ToTimestamp();

    private static HistoryEvent Turn(int milliseconds = 0) => new() { Timestamp = At(milliseconds), OrchestratorStarted = new() };

    private static HistoryEvent TurnEnd() => new() { OrchestratorCompleted = new() };

    private static HistoryEvent Started() => new() { ExecutionStarted = new() { Name = "Greet", Input = "\"Tokyo\"" } };

    private static HistoryEvent Scheduled(int id) => new() { EventId = id, TaskScheduled = new() { Name = "Say", Input = "1" } };

    private static HistoryEvent Completed(int id, string result = "2") => new() { TaskCompleted = new() { TaskScheduledId = id, Result = result } };

    private static HistoryEvent Failed(int id, string message, string? inner = null) => new()
    {
        TaskFailed = new()
        {
            TaskScheduledId = id,
            FailureDetails = new() { ErrorMessage = message, InnerFailure = inner is null ? null : new() { ErrorMessage = inner } },
        },
    };

    private static HistoryEvent Timer(int id, int milliseconds) => new() { EventId = id, TimerCreated = new() { FireAt = At(milliseconds) } };

    private static HistoryEvent Raised(string name, string? input) => new() { EventRaised = new() { Name = name, Input = input } };

    private static HistoryEvent Ended() => new() { ExecutionCompleted = new() { OrchestrationStatus = OrchestrationStatus.Completed, Result = "2" } };
}
