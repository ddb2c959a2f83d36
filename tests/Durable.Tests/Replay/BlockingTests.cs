using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

#pragma warning disable xUnit1031, CA1849, MA0042, MA0045 // Blocking is the misuse under test.
public sealed class BlockingTests
{
    private static readonly Dictionary<string, Action<TaskOrchestrationContext>> Ways = new(StringComparer.Ordinal)
    {
        ["Result"] = context => _ = context.CallActivityAsync<int>("Work").Result,
        ["GetResult"] = context => context.CallActivityAsync("Work").GetAwaiter().GetResult(),
        ["Wait"] = context => context.WaitForExternalEvent<int>("n").Wait(),
        ["Wait with a limit above the grace"] = context => context.WaitForExternalEvent<int>("n").Wait(TimeSpan.FromHours(1)),
        ["WaitAll"] = context => Task.WaitAll(context.CallActivityAsync("Work"), context.CallActivityAsync("Work")),
        ["WaitAny"] = context => Task.WaitAny(context.CallActivityAsync("Work"), context.CreateTimer(TimeSpan.FromHours(1), CancellationToken.None)),
        ["Semaphore"] = _ =>
        {
            using var semaphore = new SemaphoreSlim(0);
            semaphore.Wait();
        },
        ["Event"] = _ =>
        {
            using var signal = new ManualResetEvent(initialState: false);
            signal.WaitOne();
        },
        ["Join"] = _ =>
        {
            using var end = new ManualResetEvent(initialState: false);
            var other = new Thread(() => end.WaitOne());
            other.Start();
            try
            {
                other.Join();
            }
            finally
            {
                end.Set();
            }
        },
    };

    public static TheoryData<string> AllWays => [.. Ways.Keys];

    [Theory]
    [MemberData(nameof(AllWays))]
    public void Blocking_for_what_never_comes_fails_the_orchestration_and_says_what_to_do(string way)
    {
        string failure = Blocking(context => Ways[way](context)).FirstTurn(Turn(), Started()).Failure().ErrorMessage;
        Assert.Contains("blocked the turn's thread", failure, StringComparison.Ordinal);
        Assert.Contains("await instead of Wait() and Result", failure, StringComparison.Ordinal);
    }

    [Fact]
    public void It_fails_with_the_same_explanation_when_the_code_catches_it_and_goes_on()
    {
        Orchestrator orchestrator = Blocking(context =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Assert.Contains("await instead of", Record.Exception(() => context.CallActivityAsync("Work").Wait())!.Message, StringComparison.Ordinal);
            }
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Contains("blocked the turn's thread", response.Failure().ErrorMessage, StringComparison.Ordinal);
        Assert.Single(response.Actions);
    }

    [Fact]
    public void The_thread_can_be_used_afterwards()
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        Blocking(context => context.CallActivityAsync("Work").Wait()).FirstTurn(Turn(), Started()).Failure();
        Assert.Same(before, SynchronizationContext.Current);
        using var soon = new ManualResetEventSlim();
        new Thread(soon.Set).Start();
        soon.Wait();
        Assert.Equal("1", new Orchestrator(_ => Task.FromResult<object?>(1)).FirstTurn(Turn(), Started()).Output());
    }

    [Fact]
    public void A_lock_that_is_held_for_a_while_is_waited_for()
    {
#pragma warning disable MA0158 // What older code, such as loggers, locks by.
        object gate = new();
#pragma warning restore MA0158
        using var held = new ManualResetEventSlim();
        Thread turn = Thread.CurrentThread;
        var holder = new Thread(() =>
        {
            lock (gate)
            {
                held.Set();
                SpinWait.SpinUntil(() => turn.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromMinutes(1));
            }
        });
        holder.Start();
        held.Wait();
        var orchestrator = new Orchestrator(_ =>
        {
            lock (gate)
            {
                return Task.FromResult<object?>("through");
            }
        });
        Assert.Equal("\"through\"", orchestrator.FirstTurn(Turn(), Started()).Output());
        holder.Join();
    }

    [Fact]
    public void A_wait_that_gives_up_by_itself_in_time_is_let_through()
        => Assert.Equal("false", new Orchestrator(context => Task.FromResult<object?>(context.WaitForExternalEvent<int>("n").Wait(1))).FirstTurn(Turn(), Started()).Output());

    [Fact]
    public void The_failure_is_logged_when_the_turn_is_over_so_that_a_logger_may_block()
    {
        using var loggers = new BlockingLoggers();
        Blocking(context => context.CallActivityAsync("Work").Wait(), loggers).FirstTurn(Turn(), Started()).Failure();
        Assert.True(loggers.Wrote);
    }

    private static Orchestrator Blocking(Action<TaskOrchestrationContext> block, ILoggerFactory? loggers = null) => new(
        context =>
        {
            block(context);
            return Task.FromResult<object?>("never reached");
        },
        loggers,
        TimeSpan.FromMilliseconds(1));

    private sealed class BlockingLoggers : ILoggerFactory, ILogger
    {
        public bool Wrote { get; private set; }

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
            => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            using var free = new ManualResetEventSlim();
            Thread turn = Thread.CurrentThread;
            new Thread(() =>
            {
                SpinWait.SpinUntil(() => turn.ThreadState.HasFlag(ThreadState.WaitSleepJoin), TimeSpan.FromMinutes(1));
                free.Set();
            }).Start();
            free.Wait();
            Wrote = true;
        }

        public void Dispose()
        {
        }
    }
}
#pragma warning restore xUnit1031, CA1849, MA0042, MA0045
