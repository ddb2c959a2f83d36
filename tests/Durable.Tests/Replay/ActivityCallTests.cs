using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class ActivityCallTests
{
    private static readonly Orchestrator Sequence = new(async context =>
    {
        int first = await context.CallActivityAsync<int>("Add", new { A = context.GetInput<int>(), B = 1 });
        int second = await context.CallActivityAsync<int>("Double", first);
        return second;
    });

    private static readonly Orchestrator FanOut = new(async context =>
    {
        int[] results = await Task.WhenAll(Enumerable.Range(0, 3).Select(n => context.CallActivityAsync<int>("Work", n)));
        return results.Sum();
    });

    [Fact]
    public void First_turn_asks_for_the_first_activity_with_bare_json_input_under_id_0()
    {
        OrchestratorResponse response = Sequence.FirstTurn(Turn(), Started("4"));
        response.Asks("""0:Add({"a":4,"b":1})""");
        Assert.Single(response.Actions);
    }

    [Fact]
    public void A_result_leads_to_the_next_activity_and_what_the_history_holds_is_not_sent_again()
    {
        OrchestratorResponse response = Sequence.NextTurn([Turn(), Started("4"), Scheduled(0, "Add"), TurnEnd()], Turn(1), Completed(0, 5));
        response.Asks("1:Double(5)");
    }

    [Fact]
    public void The_last_result_completes_the_orchestration_with_the_next_id()
    {
        OrchestratorResponse response = Sequence.NextTurn(
            [Turn(), Started("4"), Scheduled(0, "Add"), Turn(1), Completed(0, 5), Scheduled(1, "Double")],
            Turn(2),
            Completed(1, 10));
        Assert.Equal("10", response.Output());
        Assert.Equal(2, Assert.Single(response.Actions).Id);
    }

    [Fact]
    public void A_name_in_the_history_may_differ_in_case()
        => Sequence.NextTurn([Turn(), Started("4"), Scheduled(0, "ADD")], Turn(1)).IsWaiting();

    [Fact]
    public void An_unconfirmed_action_is_sent_again()
        => Sequence.NextTurn([Turn(), Started("4")], Turn(1)).Asks("""0:Add({"a":4,"b":1})""");

    [Fact]
    public void Fan_out_asks_for_all_at_once_and_ends_when_all_have_ended_in_any_order()
    {
        FanOut.FirstTurn(Turn(), Started()).Asks("0:Work(0)", "1:Work(1)", "2:Work(2)");
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work"), Scheduled(1, "Work"), Scheduled(2, "Work")];
        FanOut.NextTurn(past, Turn(1), Completed(2, 30), Completed(0, 10)).IsWaiting();
        Assert.Equal("60", FanOut.NextTurn(past, Turn(1), Completed(2, 30), Completed(0, 10), Completed(1, 20)).Output());
    }

    [Fact]
    public void Completions_that_repeat_or_belong_to_nothing_are_ignored()
    {
        HistoryEvent[] past = [Turn(), Started(), Scheduled(0, "Work"), Scheduled(1, "Work"), Scheduled(2, "Work")];
        FanOut.NextTurn(past, Turn(1), Completed(0, 10), Completed(0, 99), Failed(0), Completed(7, 1), TimerFired(1), ChildCompleted(2, "5")).IsWaiting();
    }

    [Fact]
    public void An_activity_nobody_awaits_holds_the_orchestration_open_until_it_has_ended()
    {
        var orchestrator = new Orchestrator(context =>
        {
            _ = context.CallActivityAsync("Forgotten");
            return Task.FromResult<object?>("done");
        });
        orchestrator.FirstTurn(Turn(), Started()).Asks("0:Forgotten()");
        Assert.Single(orchestrator.FirstTurn(Turn(), Started()).Actions);
        Assert.Equal("\"done\"", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Forgotten")], Turn(1), Completed(0, null)).Output());
    }

    [Fact]
    public void Time_is_that_of_the_turn_and_replay_says_so()
    {
        var seen = new List<(DateTime At, DateTimeKind Kind, bool IsReplaying)>();
        var orchestrator = new Orchestrator(async context =>
        {
            seen.Add((context.CurrentUtcDateTime, context.CurrentUtcDateTime.Kind, context.IsReplaying));
            await context.CallActivityAsync("Work");
            seen.Add((context.CurrentUtcDateTime, context.CurrentUtcDateTime.Kind, context.IsReplaying));
            return null;
        });
        orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(60), Completed(0, null));
        Assert.Equal([(Noon, DateTimeKind.Utc, true), (Noon.AddSeconds(60), DateTimeKind.Utc, false)], seen);
    }

    [Fact]
    public void The_context_names_the_orchestration_and_the_instance()
    {
        var orchestrator = new Orchestrator(context => Task.FromResult<object?>($"{context.Name}/{context.InstanceId}/{context.GetInput<string>()}"));
        Assert.Equal("\"Main/abc/\"", orchestrator.FirstTurn(Turn(), Started()).Output());
    }

    [Fact]
    public void A_result_of_null_is_no_result()
    {
        var orchestrator = new Orchestrator(_ => Task.FromResult<object?>(null));
        Assert.Null(orchestrator.FirstTurn(Turn(), Started()).Output());
    }

    [Fact]
    public void Custom_status_is_the_last_one_set_replayed_or_not()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            context.SetCustomStatus(new { Step = "FenceIn" });
            await context.CallActivityAsync("Fence");
            await context.CallActivityAsync("Append");
            return null;
        });
        Assert.Equal("""{"step":"FenceIn"}""", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Fence")], Turn(1), Completed(0, null)).CustomStatus);
    }

    [Fact]
    public void Code_after_a_yield_still_runs_in_the_same_turn()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await Task.Yield();
            await context.CallActivityAsync("Work");
            return null;
        });
        orchestrator.FirstTurn(Turn(), Started()).Asks("0:Work()");
    }

    [Fact]
    public void All_code_of_a_turn_runs_on_the_calling_thread()
    {
        var threads = new HashSet<int>();
        var orchestrator = new Orchestrator(async context =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            await Task.WhenAny(Task.WhenAll(context.CallActivityAsync("A"), context.CallActivityAsync("B")), context.CallActivityAsync("C"));
            threads.Add(Environment.CurrentManagedThreadId);
            return null;
        });
        SynchronizationContext? before = SynchronizationContext.Current;
        orchestrator.FirstTurn(Turn(), Started(), Scheduled(0, "A"), Scheduled(1, "B"), Scheduled(2, "C"), Completed(1, null), Completed(0, null));
        Assert.Equal([Environment.CurrentManagedThreadId], threads);
        Assert.Same(before, SynchronizationContext.Current);
    }
}
