using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.FunctionsHost.Apps;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class FunctionAppTests
{
    [Fact]
    public void Http_routes_together_with_function_json_are_refused()
    {
        using var app = new TestApp().Http("A");
        app.HostJson["customHandler"]!["http"] = JsonNode.Parse("""{"routes":[{"route":"x"}]}""");

        Assert.Contains("http.routes", Refused(app), StringComparison.Ordinal);
    }

    [Fact]
    public void An_app_without_functions_is_refused()
    {
        using var app = new TestApp();

        Assert.Contains("no function", Refused(app), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"name":"t","type":"queueTrigger"}""", "queueTrigger")]
    [InlineData("""{"name":"t","type":"timerTrigger","schedule":"%Nowhere%"}""", "Nowhere")]
    [InlineData("""{"name":"t","type":"timerTrigger","schedule":"soon"}""", "soon")]
    [InlineData("""{"name":"t","type":"serviceBusTrigger","queueName":"q-1","connection":"Missing"}""", "Missing")]
    [InlineData("""{"name":"t","type":"serviceBusTrigger","queueName":"Q_1","connection":"Conn"}""", "Q_1")]
    [InlineData("""{"name":"t","type":"serviceBusTrigger","queueName":"q-1","connection":"Conn","cardinality":"many"}""", "many")]
    [InlineData("""{"name":"t","type":"httpTrigger","authLevel":"user"},{"name":"res","type":"http","direction":"out"}""", "user")]
    [InlineData("""{"name":"t","type":"httpTrigger"}""", "http output")]
    [InlineData("""{"name":"data","type":"activityTrigger"}""", "activity")]
    [InlineData("""{"name":"t","type":"activityTrigger"},{"name":"$return","type":"serviceBus","direction":"out"}""", "$return")]
    [InlineData("""{"name":"t","type":"activityTrigger"},{"name":"T","type":"durableClient"}""", "two bindings")]
    [InlineData("""{"name":"t","type":"activityTrigger"},{"name":"u","type":"activityTrigger"}""", "exactly one trigger")]
    [InlineData("""{"name":"t","type":"activityTrigger"},{"name":"b","type":"blob","direction":"out"}""", "blob")]
    [InlineData("""{"name":"t","type":"activityTrigger"},{"name":"c","type":"durableClient","taskHub":"other"}""", "other")]
    [InlineData("""{"type":"activityTrigger"}""", "no name")]
    public void A_wrong_binding_is_refused_saying_what_is_wrong(string bindings, string says)
    {
        using var app = new TestApp().Function("F", bindings);

        Assert.Contains(says, Refused(app), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Bindings_and_settings_are_read()
    {
        using var app = new TestApp()
            .Http("Plain", "admin", "\"methods\":[\"put\",\"GET\"],\"route\":\"things/{id}\"")
            .EnvelopeHttp("WithClient")
            .Queue("OnMessage", "%QueueName%", "\"dataType\":\"binary\"", TestApp.QueueOutput("next", "other-queue"))
            .Function("Tick", """{"name":"tick","type":"timerTrigger","schedule":"%Schedule%","runOnStartup":true}""")
            .Function("Act", """{"name":"input","type":"activityTrigger","activity":"Named"}""")
            .Function("Off", """{"name":"input","type":"nonsense"}""");
        File.WriteAllText(Path.Combine(app.Root, "Off", "function.json"), """{"disabled":true,"bindings":[{"name":"input","type":"nonsense"}], /* comment */ }""");
        app.HostJson["functionTimeout"] = "00:00:05";
        app.HostJson["extensions"] = JsonNode.Parse("""{"http":{"routePrefix":"api/v1"},"serviceBus":{"maxConcurrentCalls":3},"durableTask":{"maxConcurrentActivityFunctions":7,"defaultVersion":"2.1"}}""");

        var read = Read(app);

        Assert.Equal(["Act", "OnMessage", "Plain", "Tick", "WithClient"], read.Functions.Select(f => f.Name), StringComparer.Ordinal);
        Assert.Equal("Named", Assert.IsType<ActivityTrigger>(read.Functions[0].Trigger).Activity);
        Assert.Equal(new QueueTrigger("msg", "from-setting", Binary: true), read.Functions[1].Trigger);
        Assert.Equal("other-queue", Assert.Single(read.Functions[1].QueueOutputs).Queue);
        var plain = Assert.IsType<HttpTrigger>(read.Functions[2].Trigger);
        Assert.Equal(("things/{id}", KeyLevel.Admin, "PUT,GET"), (plain.Route, plain.Level, string.Join(',', plain.Methods)));
        Assert.True(read.Functions[2].IsHttpInAndOut);
        Assert.True(Assert.IsType<TimerTrigger>(read.Functions[3].Trigger).RunOnStartup);
        Assert.False(read.Functions[4].IsHttpInAndOut);
        Assert.Equal(("api/v1", TimeSpan.FromSeconds(5), 3, 7), (read.Manifest.RoutePrefix, read.Manifest.FunctionTimeout, read.Manifest.Queues.MaxConcurrentCalls, read.Manifest.Durable.MaxConcurrentActivities));
        Assert.Equal("2.1", read.Manifest.Durable.DefaultVersion);
    }

    [Theory]
    [InlineData("50.00:00:00")]
    [InlineData("10000.00:00:00")]
    public void A_function_timeout_that_no_timer_takes_is_refused(string timeout)
    {
        using var app = new TestApp().Http("A");
        app.HostJson["functionTimeout"] = timeout;

        Assert.Contains("use \"-1\" for no end", Assert.Throws<InvalidFunctionAppException>(() => Read(app)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Handler_path_and_arguments_expand_settings_and_unset_names_become_empty()
    {
        using var app = new TestApp().Http("A");
        app.HostJson["customHandler"]!["description"] = JsonNode.Parse("""{"defaultExecutablePath":"%QueueName%-exe","arguments":["--a=%QueueName%","%Unset%"],"workingDirectory":"sub"}""");

        var handler = Read(app).Manifest.Handler;

        Assert.Equal("from-setting-exe", handler.Executable);
        Assert.Equal(["--a=from-setting", ""], handler.Arguments, StringComparer.Ordinal);
        Assert.Equal(Path.Combine(app.Root, "sub"), handler.WorkingDirectory);
    }

    [Theory]
    [InlineData("Promote:before:1", "Promote", false, 1, CrashScope.HandlerAndHost)]
    [InlineData("Promote:after:12", "Promote", true, 12, CrashScope.HandlerAndHost)]
    [InlineData("Promote:before:3:handler", "Promote", false, 3, CrashScope.Handler)]
    public void A_crash_point_is_read_from_text(string text, string function, bool after, int nth, CrashScope scope)
    {
        Assert.Equal(new CrashPoint(function, after, nth, scope), CrashPoint.Parse(text));
        Assert.Equal(text, CrashPoint.Parse(text).ToString());
    }

    [Theory]
    [InlineData("Promote")]
    [InlineData("Promote:during:1")]
    [InlineData("Promote:before:0")]
    [InlineData("Promote:before:1:host")]
    [InlineData(":before:1")]
    public void Other_text_is_no_crash_point(string text) => Assert.Throws<FormatException>(() => CrashPoint.Parse(text));

    private static string Refused(TestApp app) => Assert.Throws<InvalidFunctionAppException>(() => Read(app)).Message;

    private static FunctionApp Read(TestApp app)
    {
        app.Write();
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Conn"] = "x", ["ServiceBusConnection"] = "x", ["QueueName"] = "from-setting", ["Schedule"] = "0 * * * * *" };
        return FunctionAppReader.Read(app.Root, new AppSettings(settings), "testhub");
    }
}
