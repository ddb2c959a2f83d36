using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using static Baton.Durable.Tests.Replay.Happened;
using Protocol = Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Tests.Replay;

/// <summary>Corners in which a turn once had no answer, or the wrong one.</summary>
public sealed class CornerTests
{
    private static readonly Orchestrator Unawaited = new(async context =>
    {
        FailUnawaited();
        return await context.WaitForExternalEvent<int>("x");

        static async void FailUnawaited()
        {
            await Task.Yield();
            throw new UnspeakableException();
        }
    });

    [Fact]
    public void A_logger_that_throws_takes_no_turn_with_it()
    {
        var orchestrator = new Orchestrator(_ => throw new InvalidOperationException("boom"), new ScriptedLoggers(static () => throw new IOException("disk full")));
        Assert.Equal("boom", orchestrator.FirstTurn(Turn(), Started()).Failure().ErrorMessage);
    }

    [Fact]
    public void What_a_logger_awaits_is_no_misuse_of_the_orchestrators()
    {
        var orchestrator = new Orchestrator(
            context =>
            {
                context.CreateReplaySafeLogger("x").LogInformation("hello");
                return Task.FromResult<object?>(1);
            },
            new ScriptedLoggers(PumpElsewhere));
        Assert.Equal("1", orchestrator.FirstTurn(Turn(), Started()).Output());

        static void PumpElsewhere()
        {
            var first = new TaskCompletionSource();
            _ = PumpAsync(first.Task);
            var other = new Thread(first.SetResult);
            other.Start();
            other.Join();

            static async Task PumpAsync(Task work) => await work;
        }
    }

    [Fact]
    public void An_exception_without_a_message_keeps_its_type()
        => Assert.Contains(nameof(UnspeakableException), new Orchestrator(_ => throw new UnspeakableException()).FirstTurn(Turn(), Started()).Failure().ErrorType, StringComparison.Ordinal);

    [Fact]
    public void A_failure_that_nobody_awaits_waits_for_the_end_of_its_batch()
    {
        Assert.Contains(nameof(UnspeakableException), Unawaited.FirstTurn(Turn(), Started()).Failure().ErrorType, StringComparison.Ordinal);
        Assert.Equal(OrchestrationStatus.Terminated, Unawaited.FirstTurn(Turn(), Started(), Terminated("1")).Completion().OrchestrationStatus);
        Unawaited.FirstTurn(Turn(), Started(), Suspended()).IsWaiting();
    }

    [Fact]
    public void A_result_without_a_JSON_form_fails_and_what_else_was_asked_for_still_counts()
    {
        OrchestratorResponse response = new Orchestrator(context =>
        {
            context.SendEvent("other", "name", 1);
            return Task.FromResult<object?>(new { Pointer = (IntPtr)3 });
        }).FirstTurn(Turn(), Started());
        response.Failure();
        Assert.NotNull(Assert.Single(response.Actions, action => action.CompleteOrchestration is null).SendEvent);
    }

    [Fact]
    public void A_failure_of_an_activity_that_says_nothing_is_still_its_failure()
    {
        var orchestrator = new Orchestrator(async context => await context.CallActivityAsync<int>("Work"));
        Protocol.TaskFailureDetails failure = orchestrator.NextTurn([Turn(), Started(), Scheduled(0, "Work")], Turn(1), CompletedRaw(0, """{"failed":{}}""")).Failure();
        Assert.Equal((typeof(TaskFailedException).FullName, "Unknown"), (failure.ErrorType, failure.InnerFailure.ErrorType));
    }

    [Fact]
    public void A_failure_that_came_through_very_many_children_can_be_read_and_keeps_its_first_cause()
    {
        var orchestrator = new Orchestrator(async context => await context.CallSubOrchestratorAsync<int>("Child"));
        var failure = new Protocol.TaskFailureDetails { ErrorType = "First", ErrorMessage = "the first cause" };
        for (int depth = 0; depth < 200; depth++)
        {
            failure = orchestrator.NextTurn([Turn(), Started(), ChildCreated(0, "Child")], Turn(1), ChildFailed(0, failure)).Failure();
        }

        while (failure.InnerFailure is { } inner)
        {
            failure = inner;
        }

        Assert.Equal("the first cause", failure.ErrorMessage);
    }

    [Fact]
    public void A_wait_beyond_the_calendar_ends_with_it()
    {
        var policy = new RetryPolicy(9, TimeSpan.FromDays(1), 1e9, Timeout.InfiniteTimeSpan);
        var orchestrator = new Orchestrator(async context => await context.CallActivityAsync<int>("Work", TaskOptions.FromRetryPolicy(policy)));
        OrchestratorResponse response = orchestrator.NextTurn(
            [Turn(), Started(), Scheduled(0, "Work"), Turn(1), Failed(0), TimerCreated(1), TimerFired(1), Scheduled(2, "Work")],
            Turn(1),
            Failed(2));
        Assert.NotNull(Assert.Single(response.Actions).CreateTimer);
    }

    private sealed class UnspeakableException : Exception
    {
        public override string Message => null!;
    }

    private sealed class ScriptedLoggers(Action log) : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            => log();

        public void Dispose()
        {
        }
    }
}
