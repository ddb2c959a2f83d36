using System.Text.Json.Nodes;

namespace Baton.DevHost.Tests.FunctionsHost;

/// <summary>A function app in a folder of its own, written by the test.</summary>
internal sealed class TestApp : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("baton-app-").FullName;

    public JsonObject HostJson { get; } = new()
    {
        ["version"] = "2.0",
        ["customHandler"] = new JsonObject
        {
            ["description"] = new JsonObject { ["defaultExecutablePath"] = Path.Combine(AppContext.BaseDirectory, "Baton.ScriptedHandler") },
            ["enableForwardingHttpRequest"] = true,
        },
    };

    public TestApp Function(string name, params string[] bindings)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Root, name)).FullName;
        File.WriteAllText(Path.Combine(folder, "function.json"), $$"""{"bindings":[{{string.Join(',', bindings)}}]}""");
        return this;
    }

    /// <summary>A plain HTTP function: forwarded.</summary>
    public TestApp Http(string name, string level = "anonymous", string settings = "") => Function(name, HttpTrigger(level, settings), HttpOutput);

    /// <summary>An HTTP function with a durable client: always the envelope.</summary>
    public TestApp EnvelopeHttp(string name, string level = "anonymous", string settings = "") =>
        Function(name, HttpTrigger(level, settings), HttpOutput, """{"name":"client","type":"durableClient","direction":"in"}""");

    public TestApp Queue(string name, string queue, string settings = "\"dataType\":\"binary\"", params string[] more) =>
        Function(name, [$$"""{"name":"msg","type":"serviceBusTrigger","direction":"in","queueName":"{{queue}}","connection":"ServiceBusConnection",{{settings}}}""", .. more]);

    public const string HttpOutput = """{"name":"res","type":"http","direction":"out"}""";

    public static string HttpTrigger(string level, string settings) =>
        $$"""{"name":"req","type":"httpTrigger","direction":"in","authLevel":"{{level}}"{{(settings.Length > 0 ? "," + settings : "")}}}""";

    public static string QueueOutput(string name, string queue, string settings = "") =>
        $$"""{"name":"{{name}}","type":"serviceBus","direction":"out","queueName":"{{queue}}","connection":"ServiceBusConnection"{{(settings.Length > 0 ? "," + settings : "")}}}""";

    public TestApp Write()
    {
        File.WriteAllText(Path.Combine(Root, "host.json"), HostJson.ToJsonString());
        return this;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
