using Baton.DevHost.Orchestrations;
using Baton.Testing;
using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>The engine is as harsh as the platform: what would fail in Azure fails here.</summary>
public sealed class PlatformRuleTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncDisposable
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private readonly ScriptedApp _app = new();

    public static TheoryData<string, string> RefusedAnswers => new()
    {
        { "empty", "" },
        { "not base64", "***" },
        { "not protobuf", Convert.ToBase64String([0xff, 0xff, 0xff]) },
        { "terminate", RawAnswers.Of(new OrchestratorAction { TerminateOrchestration = new TerminateOrchestrationAction { InstanceId = "other" } }) },
        { "rewind", RawAnswers.Of(new OrchestratorAction { RewindOrchestration = new RewindOrchestrationAction() }) },
        { "entity", RawAnswers.Of(new OrchestratorAction { SendEntityMessage = new SendEntityMessageAction() }) },
        { "no kind", RawAnswers.Of(new OrchestratorAction()) },
        { "one id twice", RawAnswers.Of(RawAnswers.Task("A", 0), RawAnswers.Task("B", 0)) },
        { "negative id", RawAnswers.Of(RawAnswers.Task("A", -1)) },
        { "no name", RawAnswers.Of(RawAnswers.Task("", 0)) },
        { "no time", RawAnswers.Of(new OrchestratorAction { CreateTimer = new CreateTimerAction() }) },
        { "bad child id", RawAnswers.Of(new OrchestratorAction { CreateSubOrchestration = new CreateSubOrchestrationAction { Name = "A", InstanceId = "a/b" } }) },
        { "two ends", RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed), RawAnswers.Complete(1, OrchestrationStatus.Completed)) },
        { "ends as running", RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Running)) },
        { "history wanted, with actions", Convert.ToBase64String(new OrchestratorResponse { RequiresHistory = true, Actions = { RawAnswers.Task("A", 0) } }.ToByteArray()) },
        { "status above 16 KiB", Convert.ToBase64String(new OrchestratorResponse { InstanceId = "x", CustomStatus = new string('s', 8193) }.ToByteArray()) },
    };

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    [Theory]
    [MemberData(nameof(RefusedAnswers))]
    public async Task An_answer_that_breaks_the_protocol_fails_the_instance(string what, string answer)
    {
        Assert.NotEmpty(what);
        _app.RawOrchestrator("Broken", _ => answer);
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Broken");

        Assert.Equal("Failed", status.RuntimeStatus);
        Assert.Equal("Microsoft.Azure.WebJobs.Host.FunctionInvocationException: Exception while executing function: Functions.Broken", status.Output);
        Assert.Equal(1, _app.Calls("Broken"));
    }

    [Fact]
    public async Task A_failed_call_of_an_orchestrator_fails_the_instance_for_good()
    {
        var calls = 0;
        _app.RawOrchestrator("Crashing", _ => ++calls == 1 ? RawAnswers.Of(RawAnswers.Task("Nothing", 0)) : throw new InvocationFailedException("connection reset"))
            .Activity<string>("Nothing", _ => null);
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Crashing");

        Assert.Equal("Failed", status.RuntimeStatus);
        Assert.Equal(2, calls);
        Assert.Equal(410, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.Instances.ResumeAsync(status.InstanceId, null, CancellationToken.None))).Status);
    }

    [Fact]
    public async Task A_response_without_actions_keeps_the_instance_waiting()
    {
        _app.RawOrchestrator("Idle", _ => RawAnswers.Of());
        var engine = await _hub.StartEngineAsync(_app);
        var id = await engine.StartAsync("Idle");

        Assert.Equal("Running", (await engine.UntilAsync(id, status => status.RuntimeStatus != "Pending")).RuntimeStatus);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_turn_that_asks_for_it_is_delivered_again(bool outOfMemory)
    {
        var requests = new List<string>();
        var again = outOfMemory
            ? RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Failed, new TaskFailureDetails { ErrorType = "x", InnerFailure = new TaskFailureDetails { ErrorType = "System.OutOfMemoryException" } }))
            : Convert.ToBase64String(new OrchestratorResponse { RequiresHistory = true, InstanceId = "x" }.ToByteArray());
        _app.RawOrchestrator("Forgetful", request =>
        {
            requests.Add(request);
            return requests.Count < 3 ? again : RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed));
        });
        var engine = await _hub.StartEngineAsync(_app);

        var status = await engine.RunAsync("Forgetful", "7");

        Assert.Equal("Completed", status.RuntimeStatus);
        Assert.Equal(3, requests.Count);
        Assert.All(requests.Select(RawAnswers.Request), request =>
        {
            Assert.Equal(status.InstanceId, request.InstanceId);
            Assert.Null(request.ExecutionId);
            Assert.True(request.Properties["IncludeState"].BoolValue);
            Assert.Equal("7", request.NewEvents.Single(e => e.ExecutionStarted is not null).ExecutionStarted.Input);
        });
    }

    [Fact]
    public async Task A_turn_that_asks_for_ever_fails_in_the_end()
    {
        _app.RawOrchestrator("Forgetful", _ => Convert.ToBase64String(new OrchestratorResponse { RequiresHistory = true }.ToByteArray()));
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxRedeliveries = 2 });

        var status = await engine.RunAsync("Forgetful");

        Assert.Equal("Failed", status.RuntimeStatus);
        Assert.Contains("delivered 3 times", status.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_turn_beyond_the_function_timeout_is_delivered_again()
    {
        var calls = 0;
        _app.RawOrchestrator("Slow", _ => ++calls < 3 ? throw new InvocationFailedException("Timeout value of 00:05:00 exceeded by function: Functions.Slow") { IsTimeout = true } : RawAnswers.Of(RawAnswers.Complete(0, OrchestrationStatus.Completed)));
        var engine = await _hub.StartEngineAsync(_app);

        Assert.Equal("Completed", (await engine.RunAsync("Slow")).RuntimeStatus);
        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task A_turn_that_is_always_too_slow_fails_in_the_end()
    {
        _app.RawOrchestrator("Slow", _ => throw new InvocationFailedException("Timeout value of 00:05:00 exceeded by function: Functions.Slow") { IsTimeout = true });
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxRedeliveries = 2 });

        var status = await engine.RunAsync("Slow");

        Assert.Equal("Failed", status.RuntimeStatus);
        Assert.Contains("Timeout value of 00:05:00", status.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_orchestrator_cannot_be_started_and_fails_as_a_child()
    {
        var parent = 0;
        _app.RawOrchestrator("Parent", request => parent++ == 0
            ? RawAnswers.Of(new OrchestratorAction { CreateSubOrchestration = new CreateSubOrchestrationAction { Name = "NoSuch", InstanceId = "child" } })
            : RawAnswers.Of(RawAnswers.Complete(1, OrchestrationStatus.Completed, result: $"\"{RawAnswers.Request(request).NewEvents.Single(e => e.SubOrchestrationInstanceFailed is not null).SubOrchestrationInstanceFailed.FailureDetails.ErrorMessage}\"")));
        var engine = await _hub.StartEngineAsync(_app);

        Assert.Equal(400, (await Assert.ThrowsAsync<InstanceRequestException>(() => engine.StartAsync("NoSuch"))).Status);
        Assert.Contains("doesn't exist", (await engine.RunAsync("Parent")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_history_beyond_the_bound_fails_the_instance()
    {
        var next = 0;
        _app.RawOrchestrator("Endless", _ => RawAnswers.Of(RawAnswers.Task("Nothing", next++))).Activity<string>("Nothing", _ => new string('x', 500));
        var engine = await _hub.StartEngineAsync(_app, options: _hub.Options with { MaxHistoryBytes = 10_000 });

        var status = await engine.RunAsync("Endless");

        Assert.Equal("Failed", status.RuntimeStatus);
        Assert.Contains("beyond 10000 bytes", status.Output, StringComparison.Ordinal);
    }
}
