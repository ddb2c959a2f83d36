using System.Text.Json;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.DurableTriggers;
using Baton.DevHost.FunctionsHost.Handler;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.Orchestrations;
using Baton.ScriptedHandler;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class DurableTriggerTests
{
    private const string Orchestrator = """{"name":"context","type":"orchestrationTrigger","direction":"in"}""";
    private const string Activity = """{"name":"input","type":"activityTrigger","direction":"in"}""";

    [Fact]
    public async Task An_orchestrator_gets_quoted_base64_and_returns_base64()
    {
        await using var app = await RunningApp.StartAsync(_ => ScriptServer.Json("""{"ReturnValue":"CgNhYmM="}"""));

        Assert.Equal("CgNhYmM=", await app.Invoker.InvokeOrchestratorAsync("orch", "CgN4eXo=", CancellationToken.None));

        var envelope = ScriptServer.Envelope(Assert.Single(app.Script.Requests));
        Assert.Equal("\"CgN4eXo=\"", (string?)envelope["Data"]!["context"]);
        Assert.Equal("sys", string.Join(',', envelope["Metadata"]!.AsObject().Select(p => p.Key)));
    }

    [Theory]
    [InlineData("""{"ReturnValue":""}""")]
    [InlineData("""{"ReturnValue":{"a":1}}""")]
    [InlineData("""{"ReturnValue":null}""")]
    [InlineData("{}")]
    [InlineData("broken")]
    public async Task An_orchestrator_that_returns_no_text_has_failed(string answer)
    {
        await using var app = await RunningApp.StartAsync(_ => ScriptServer.Json(answer));

        await Assert.ThrowsAsync<InvocationFailedException>(() => app.Invoker.InvokeOrchestratorAsync("Orch", "CgN4eXo=", CancellationToken.None));
    }

    // Envelope → string → string → value; an absent input is the word null, and a JSON null is that word in quotes.
    [Theory]
    [InlineData("{\"a\":1}", "\"{\\\"a\\\":1}\"", "{\"a\":1}")]
    [InlineData("\"Tokyo\"", "\"\\\"Tokyo\\\"\"", "\"\\\"Tokyo\\\"\"")]
    [InlineData("3", "\"3\"", "\"3\"")]
    [InlineData("[1,2]", "\"[1,2]\"", "\"[1,2]\"")]
    [InlineData("null", "\"null\"", null)]
    [InlineData(null, "null", null)]
    public async Task An_activity_gets_its_inputs_JSON_text_quoted_twice(string? input, string expectedData, string? expectedMetadata)
    {
        await using var app = await RunningApp.StartAsync(_ => ScriptServer.Json("""{"ReturnValue":{"ok":1}}"""));

        Assert.Equal("{\"ok\":1}", await app.Invoker.InvokeActivityAsync("act", "instance-1", input, CancellationToken.None));

        var envelope = ScriptServer.Envelope(Assert.Single(app.Script.Requests));
        Assert.Equal(expectedData, (string?)envelope["Data"]!["input"]);
        Assert.Equal("\"instance-1\"", (string?)envelope["Metadata"]!["instanceId"]);
        Assert.Equal(expectedMetadata, envelope["Metadata"]!["data"]?.ToJsonString(Envelope.Json));
    }

    [Theory]
    [InlineData("{}", null)]
    [InlineData("""{"ReturnValue":null}""", null)]
    [InlineData("""{"ReturnValue":"test"}""", "\"test\"")]
    [InlineData("""{"ReturnValue":[1,{"a":"b"}]}""", """[1,{"a":"b"}]""")]
    [InlineData("""{"ReturnValue":"2026-01-02T03:04:05.100Z"}""", "\"2026-01-02T03:04:05.1Z\"")]
    public async Task An_activitys_return_value_is_its_result_without_the_base64_trap_but_with_the_date_trap(string answer, string? expected)
    {
        await using var app = await RunningApp.StartAsync(_ => ScriptServer.Json(answer));

        Assert.Equal(expected, await app.Invoker.InvokeActivityAsync("Act", "i", null, CancellationToken.None));
    }

    [Fact]
    public async Task A_failed_activity_says_no_more_than_its_status()
    {
        await using var app = await RunningApp.StartAsync(_ => new HandlerAnswer(500, "application/json", JsonSerializer.SerializeToUtf8Bytes("secret")));

        var failure = await Assert.ThrowsAsync<InvocationFailedException>(() => app.Invoker.InvokeActivityAsync("Act", "i", null, CancellationToken.None));

        Assert.Equal("Response status code does not indicate success: 500 (Internal Server Error).", failure.Message);
    }

    [Fact]
    public async Task Only_what_the_app_declares_is_there()
    {
        await using var app = await RunningApp.StartAsync(_ => ScriptServer.Json("{}"));

        Assert.Equal((true, false, true, false), (app.Invoker.HasOrchestrator("ORCH"), app.Invoker.HasOrchestrator("Act"), app.Invoker.HasActivity("act"), app.Invoker.HasActivity("Other")));
        await Assert.ThrowsAsync<InvocationFailedException>(() => app.Invoker.InvokeActivityAsync("Other", "i", null, CancellationToken.None));
    }

    /// <summary>A handler and the invoker in front of it, without the rest of the host.</summary>
    private sealed class RunningApp(TestApp app, ScriptServer script, HandlerSupervisor handlers, HttpClient http, IOrchestrationInvoker invoker) : IAsyncDisposable
    {
        public ScriptServer Script => script;

        public IOrchestrationInvoker Invoker => invoker;

        public static async Task<RunningApp> StartAsync(Func<HandlerRequest, HandlerAnswer> answer)
        {
            var folder = new TestApp().Function("Orch", Orchestrator).Function("Act", Activity).Write();
            var script = await ScriptServer.StartAsync(request => Task.FromResult(answer(request)));
            var settings = HostUnderTest.Options(folder, script, storage: null).AppSettings;
            var app = FunctionAppReader.Read(folder.Root, new AppSettings(settings), "testhub");
            var http = new HttpClient();
            var handlers = await HandlerSupervisor.StartAsync(app, settings, http, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
            var functions = new FunctionInvoker(handlers, http, app.Manifest.FunctionTimeout, new CrashTrigger(NullLogger.Instance), TimeProvider.System, NullLoggerFactory.Instance, CancellationToken.None);
            return new RunningApp(folder, script, handlers, http, new HandlerOrchestrationInvoker(app, functions, new FunctionInputs("testhub", () => http.BaseAddress!, "key")));
        }

        public async ValueTask DisposeAsync()
        {
            await handlers.DisposeAsync();
            http.Dispose();
            await script.DisposeAsync();
            app.Dispose();
        }
    }
}
