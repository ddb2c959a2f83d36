using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class ExternalEventTests
{
    [Fact]
    public void An_orchestration_that_waits_for_an_event_goes_on_when_it_is_raised_whatever_the_case_of_its_name()
    {
        var orchestrator = new Orchestrator(async context => await context.WaitForExternalEvent<int>("Approved"));
        orchestrator.FirstTurn(Turn(), Started()).IsWaiting();
        orchestrator.FirstTurn(Turn(), Started(), Raised("Other", "1")).IsWaiting();
        Assert.Equal("7", orchestrator.NextTurn([Turn(), Started()], Turn(1), Raised("APPROVED", "7")).Output());
    }

    [Fact]
    public void Events_that_come_early_are_kept_in_order()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.CallActivityAsync("Work");
            return new[] { await context.WaitForExternalEvent<int>("n"), await context.WaitForExternalEvent<int>("n") };
        });
        Assert.Equal("[1,2]", orchestrator.FirstTurn(Turn(), Started(), Scheduled(0, "Work"), Raised("n", "1"), Raised("N", "2"), Completed(0, null)).Output());
    }

    [Fact]
    public void The_first_waiter_is_served_first()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            Task<int> first = context.WaitForExternalEvent<int>("n");
            Task<int> second = context.WaitForExternalEvent<int>("n");
            return new[] { await first, await second };
        });
        Assert.Equal("[1,2]", orchestrator.FirstTurn(Turn(), Started(), Raised("n", "1"), Raised("n", "2")).Output());
    }

    [Fact]
    public void A_cancelled_waiter_takes_no_event()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task<int> cancelled = context.WaitForExternalEvent<int>("n", end.Token);
            end.Cancel();
            Assert.True(cancelled.IsCanceled);
            return await context.WaitForExternalEvent<int>("n");
        });
        Assert.Equal("1", orchestrator.FirstTurn(Turn(), Started(), Raised("n", "1")).Output());
    }

    [Fact]
    public void A_wait_with_a_timeout_ends_with_the_event_and_leaves_no_timer_open()
    {
        Orchestrator orchestrator = WithTimeout();
        Assert.Equal("5", orchestrator.NextTurn([Turn(), Started(), TimerCreated(0)], Turn(1), Raised("n", "5")).Output());
    }

    [Fact]
    public void A_wait_with_a_timeout_is_cancelled_when_the_timer_fires_and_a_later_event_goes_to_others()
    {
        Orchestrator orchestrator = WithTimeout();
        Assert.Equal("\"too late, then 6\"", orchestrator.NextTurn([Turn(), Started(), TimerCreated(0)], Turn(60), TimerFired(0), Raised("n", "6")).Output());
    }

    [Fact]
    public void A_payload_of_the_wrong_form_fails_the_wait()
    {
        var orchestrator = new Orchestrator(async context => await context.WaitForExternalEvent<int>("n"));
        Assert.Equal("System.Text.Json.JsonException", orchestrator.FirstTurn(Turn(), Started(), Raised("n", "\"five\"")).Failure().ErrorType);
    }

    [Fact]
    public void A_sent_event_is_an_action_with_an_id_and_is_confirmed_by_the_history()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            context.SendEvent("other", "Go", new { N = 1 });
            await context.CallActivityAsync("Work");
            return null;
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        SendEventAction sent = response.Actions[0].SendEvent;
        Assert.Equal(("other", "Go", """{"n":1}"""), (sent.Instance.InstanceId, sent.Name, sent.Data));
        response.Asks("1:Work()");
        orchestrator.NextTurn([Turn(), Started(), Sent(0, "go"), Scheduled(1, "Work")], Turn(1)).IsWaiting();
    }

    [Fact]
    public void A_wait_with_a_timeout_can_be_ended_from_outside_too()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task<int> wait = context.WaitForExternalEvent<int>("n", TimeSpan.FromMinutes(1), end.Token);
            await context.CallActivityAsync("Work");
            end.Cancel();
            await Assert.ThrowsAsync<TaskCanceledException>(() => wait);
            return await context.WaitForExternalEvent<int>("n");
        });
        Assert.Equal("6", orchestrator.NextTurn([Turn(), Started(), TimerCreated(0), Scheduled(1, "Work")], Turn(1), Completed(1, null), Raised("n", "6")).Output());
    }

    [Fact]
    public void An_event_without_a_payload_gives_the_types_default()
        => Assert.Equal("0", new Orchestrator(async context => await context.WaitForExternalEvent<int>("n")).FirstTurn(Turn(), Started(), Raised("n")).Output());

    [Fact]
    public void Many_events_and_many_waiters_meet_in_order()
    {
        const int Many = 10_000;
        var takes = new Orchestrator(async context =>
        {
            await context.CallActivityAsync("Work");
            long sum = 0;
            for (int i = 0; i < Many; i++)
            {
                Assert.Equal(i, await context.WaitForExternalEvent<int>("n"));
                sum += i;
            }

            return sum;
        });
        HistoryEvent[] raised = [.. Enumerable.Range(0, Many).Select(i => Raised("n", $"{i}"))];
        Assert.Equal("49995000", takes.FirstTurn([Turn(), Started(), Scheduled(0, "Work"), .. raised, Completed(0, null)]).Output());

        var waits = new Orchestrator(async context =>
        {
            using var end = new CancellationTokenSource();
            Task<int>[] cancelled = [.. Enumerable.Range(0, Many).Select(_ => context.WaitForExternalEvent<int>("n", end.Token))];
            Task<int>[] waiters = [.. Enumerable.Range(0, Many).Select(_ => context.WaitForExternalEvent<int>("n"))];
            end.Cancel();
            Assert.All(cancelled, wait => Assert.True(wait.IsCanceled));
            return (await Task.WhenAll(waiters)).SequenceEqual(Enumerable.Range(0, Many));
        });
        Assert.Equal("true", waits.FirstTurn([Turn(), Started(), .. raised]).Output());
    }

    private static Orchestrator WithTimeout() => new(async context =>
    {
        try
        {
            return await context.WaitForExternalEvent<int>("n", TimeSpan.FromMinutes(1));
        }
        catch (TaskCanceledException)
        {
            return $"too late, then {await context.WaitForExternalEvent<int>("n")}";
        }
    });
}
