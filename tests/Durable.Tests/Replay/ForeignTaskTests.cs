using System.Net;
using System.Net.Sockets;
using Microsoft.DurableTask.Protobuf;
using static Baton.Durable.Tests.Replay.Happened;

namespace Baton.Durable.Tests.Replay;

/// <summary>Awaiting what no history can repeat. Each fails the orchestration and names what to use instead.</summary>
public sealed class ForeignTaskTests
{
    [Fact]
    public void Task_Delay() => FailsNaming("CreateTimer instead of Task.Delay", async _ => await Task.Delay(TimeSpan.FromHours(1)));

    [Fact]
    public void Task_Run()
    {
        using var afterTheTurn = new ManualResetEventSlim();
        FailsNaming("an activity instead of Task.Run", async _ => await Task.Run(afterTheTurn.Wait));
        afterTheTurn.Set();
    }

    [Fact]
    public void Http_client()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var http = new HttpClient();
        FailsNaming("an activity instead of Task.Run, HttpClient", async _ => await http.GetStringAsync(new Uri($"http://{silent.LocalEndpoint}/")));
    }

    [Fact]
    public void A_token_that_a_clock_cancels() => FailsNaming("CreateTimer instead of Task.Delay and CancelAfter", async context =>
    {
        using var end = new CancellationTokenSource();
        Task<int> wait = context.WaitForExternalEvent<int>("n", end.Token);

        // As CancelAfter does when its time has come.
        var clock = new Thread(end.Cancel);
        clock.Start();
        clock.Join();
        await wait;
    });

    [Fact]
    public void What_ends_after_the_turn_is_logged_once_since_the_orchestration_may_wait_for_ever()
    {
        using var lines = new Lines();
        var late = new TaskCompletionSource();
        bool ran = false;
        var orchestrator = new Orchestrator(
            async context =>
            {
                Task foreign = ForeignAsync();
                await Task.WhenAny(foreign, context.WaitForExternalEvent<int>("never"));
                return null;

                async Task ForeignAsync()
                {
                    await late.Task;
                    ran = true;
                }
            },
            lines);
        orchestrator.FirstTurn(Turn(), Started()).IsWaiting();
        Assert.Empty(lines.Texts);
        late.SetResult();
        (string category, _, string text) = Assert.Single(lines.Written);
        Assert.Equal("Baton.Durable.Replay.OrchestrationTurn", category);
        Assert.Contains("after the end of a turn came a continuation of a task that is not durable", text, StringComparison.Ordinal);
        Assert.False(ran);
    }

    private static void FailsNaming(string instead, Func<TaskOrchestrationContext, Task> codeAsync)
    {
        var orchestrator = new Orchestrator(async context =>
        {
            await codeAsync(context);
            return null;
        });
        OrchestratorResponse response = orchestrator.FirstTurn(Turn(), Started());
        Assert.Contains(instead, response.Failure().ErrorMessage, StringComparison.Ordinal);
        Assert.DoesNotContain(response.Actions, action => action.ScheduleTask is not null);
    }
}
