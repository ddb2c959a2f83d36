using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

public sealed class MisuseTests
{
    [Fact]
    public void Awaiting_a_foreign_task_fails_instead_of_hanging_for_ever()
    {
        var never = new TaskCompletionSource();
        var orchestrator = new Orchestrator(async _ =>
        {
            await never.Task;
            return null;
        });
        Assert.Contains("waits, but for nothing", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Awaiting_a_foreign_task_while_an_activity_is_open_fails_when_it_has_ended()
    {
        var never = new TaskCompletionSource();
        var orchestrator = new Orchestrator(async context =>
        {
            _ = context.CallActivityAsync("Work");
            await never.Task;
            return null;
        });
        orchestrator.FirstTurn(Turn(), Started()).Asks("0:Work()");
        Assert.Contains("waits, but for nothing", orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Completed(0, null)).Failure().ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void A_continuation_from_another_thread_fails_the_orchestration_and_never_runs()
    {
        bool ran = false;
        var foreign = new TaskCompletionSource();
        var orchestrator = new Orchestrator(context =>
        {
            Task<object?> code = CodeAsync();
            var other = new Thread(foreign.SetResult);
            other.Start();
            other.Join();
            return code;

            async Task<object?> CodeAsync()
            {
                await foreign.Task;
                ran = true;
                return null;
            }
        });
        Assert.Contains("left its turn", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage, StringComparison.Ordinal);
        Assert.False(ran);
    }

    [Fact]
    public void Code_that_leaves_the_turn_by_ConfigureAwait_false_fails()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await context.CallActivityAsync("First").ConfigureAwait(false);
            await context.CallActivityAsync("Second");
            return null;
        });
        Microsoft.DurableTask.Protobuf.TaskFailureDetails failure = orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "First")], Turn(1), Completed(0, null)).Failure();
        Assert.Contains("ConfigureAwait(false)", failure.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Calling_the_context_from_another_thread_is_refused()
    {
        Exception? refusal = null;
        var orchestrator = new Orchestrator(context =>
        {
            var other = new Thread(() => refusal = Record.Exception(() => { context.SendEvent("a", "b", payload: 1); }));
            other.Start();
            other.Join();
            return Task.FromResult<object?>(null);
        });
        Assert.Contains("SendEvent on another thread", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage, StringComparison.Ordinal);
        Assert.IsType<InvalidOperationException>(refusal);
    }

    [Fact]
    public void A_context_is_of_no_use_after_its_turn()
    {
        TaskOrchestrationContext? kept = null;
        new Orchestrator(context =>
        {
            kept = context;
            return Task.FromResult<object?>(null);
        }).FirstTurn(Turn(), Started());
        Assert.Throws<InvalidOperationException>(() => kept!.SendEvent("a", "b", payload: 1));
    }

    [Fact]
    public void An_exception_nobody_awaits_fails_the_orchestration()
    {
        var orchestrator = new Orchestrator(async context =>
        {
            Forgotten();
            await context.CallActivityAsync("Work");
            return null;

#pragma warning disable MA0155 // The misuse under test.
            static async void Forgotten()
#pragma warning restore MA0155
            {
                await Task.Yield();
                throw new InvalidOperationException("nobody saw this");
            }
        });
        Assert.Equal("nobody saw this", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage);
    }

    [Fact]
    public void A_history_without_a_start_or_with_an_unknown_event_fails_saying_so()
    {
        var orchestrator = new Orchestrator(_ => Task.FromResult<object?>(null));
        Assert.Contains("ExecutionStarted", orchestrator.FirstTurn(Turn(), Raised("x")).Failure().ErrorMessage, StringComparison.Ordinal);
        Assert.Contains("does not know", orchestrator.FirstTurn(Turn(), new HistoryEvent { EventId = 4 }).Failure().ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_without_its_history_is_answered_by_asking_for_it()
    {
        var request = new OrchestratorRequest { InstanceId = InstanceId, NewEvents = { Turn(), Completed(0, 1) } };
        request.Properties["IncludeState"] = Value.ForBool(false);
        OrchestratorResponse response = new Orchestrator(_ => Task.FromResult<object?>(null)).Run(request);
        Assert.True(response.RequiresHistory);
        Assert.Empty(response.Actions);
        request.Properties["IncludeState"] = Value.ForBool(true);
        Assert.False(new Orchestrator(_ => Task.FromResult<object?>(null)).Run(request).RequiresHistory);
    }

    [Fact]
    public void A_turn_that_comes_when_the_process_stops_is_not_run_but_asked_for_again()
    {
        bool ran = false;
        var orchestrator = new Orchestrator(_ => Task.FromResult<object?>(ran = true));
        orchestrator.Run(Request(), new CancellationToken(canceled: true)).AsksForTheSameTurnAgain();
        Assert.False(ran);
    }

    [Fact]
    public void A_turn_that_fails_while_the_process_stops_may_have_failed_of_it_and_is_asked_for_again()
    {
        using var stopping = new CancellationTokenSource();
        new Orchestrator(_ => throw Stopped()).Run(Request(), stopping.Token).AsksForTheSameTurnAgain();

        ObjectDisposedException Stopped()
        {
            stopping.Cancel();
            return new ObjectDisposedException("a service");
        }
    }

    [Fact]
    public void A_turn_that_ends_well_while_the_process_stops_counts()
    {
        using var stopping = new CancellationTokenSource();
        Assert.Equal("1", new Orchestrator(_ => Task.FromResult<object?>(Stopped())).Run(Request(), stopping.Token).Output());

        int Stopped()
        {
            stopping.Cancel();
            return 1;
        }
    }

    [Fact]
    public void A_request_that_is_none_is_refused()
    {
        Assert.Throws<FormatException>(() => OrchestrationRunner.Run("§", _ => null));
        Assert.Throws<InvalidProtocolBufferException>(() => OrchestrationRunner.Run("/////w==", _ => null));
    }

    [Fact]
    public void A_replay_safe_logger_writes_each_line_once()
    {
        using var lines = new Lines();
        var orchestrator = new Orchestrator(
            async context =>
            {
                ILogger log = context.CreateReplaySafeLogger("orchestrator");
                log.LogInformation("before");
                await context.CallActivityAsync("Work");
                log.LogInformation("after");
                return null;
            },
            lines);
        orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), Completed(0, null));
        Assert.Equal(["after"], lines.Texts);
    }

    private static OrchestratorRequest Request() => new() { InstanceId = InstanceId, NewEvents = { Turn(), Started() } };
}
