using System.Net.Http.Headers;
using System.Text;
using Azure.Storage.Queues;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.ScriptedHandler;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.FunctionsHost;

/// <summary>A running host over a <see cref="TestApp"/> and a script.</summary>
internal sealed class HostUnderTest : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    public static readonly HostKeys Keys = new("function-key", "master-key", "system-key");

    private readonly TestApp _app;

    private HostUnderTest(TestApp app, ScriptServer script, DevHost.FunctionsHost.FunctionsHost host)
    {
        _app = app;
        Script = script;
        Host = host;
        Http = new HttpClient { BaseAddress = host.BaseAddress, Timeout = Patience };
    }

    public ScriptServer Script { get; }

    public DevHost.FunctionsHost.FunctionsHost Host { get; }

    public HttpClient Http { get; }

    /// <summary>Starts a host. Without <paramref name="storage"/> the app has no queue.</summary>
    public static async Task<HostUnderTest> StartAsync(
        TestApp app,
        Func<HandlerRequest, Task<HandlerAnswer>> script,
        string? storage = null,
        CrashPoint? crashAt = null,
        IReadOnlyDictionary<string, string>? settings = null,
        ILoggerFactory? loggers = null)
    {
        app.Write();
        var server = await ScriptServer.StartAsync(script);
        try
        {
            var options = Options(app, server, storage, settings) with { CrashAt = crashAt };
            return new HostUnderTest(app, server, await DevHost.FunctionsHost.FunctionsHost.StartAsync(options, loggers ?? NullLoggerFactory.Instance, CancellationToken.None));
        }
        catch
        {
            await server.DisposeAsync();
            app.Dispose();
            throw;
        }
    }

    public static FunctionsHostOptions Options(TestApp app, ScriptServer server, string? storage, IReadOnlyDictionary<string, string>? settings = null) => new()
    {
        AppRoot = app.Root,
        StorageConnectionString = storage ?? "UseDevelopmentStorage=true",
        HubName = "testhub",
        Keys = Keys,
        AppSettings = new Dictionary<string, string>(settings ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal)
        {
            ["SCRIPT_URL"] = server.Address.ToString(),
            ["ServiceBusConnection"] = "local",
        },
        QueueLock = TimeSpan.FromSeconds(6),
    };

    public Task<HttpResponseMessage> PostAsync(string path, string body, string contentType = "application/json") =>
        Http.PostAsync(new Uri(path, UriKind.Relative), new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = MediaTypeHeaderValue.Parse(contentType) } });

    /// <summary>Waits for a condition, bounded.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await holds())
        {
            Assert.False(patience.IsCancellationRequested, $"Not within {Patience.TotalSeconds} s: {what}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    public static Task UntilAsync(string what, Func<bool> holds) => UntilAsync(what, () => Task.FromResult(holds()));

    /// <summary>The bodies in a queue, without taking them.</summary>
    public static async Task<IReadOnlyList<string>> PeekAsync(string storage, string queue)
    {
        var client = new QueueClient(storage, queue);
        if (!await client.ExistsAsync())
        {
            return [];
        }

        return [.. (await client.PeekMessagesAsync(32)).Value.Select(m => Encoding.UTF8.GetString(LocalQueue.Body(m.MessageText)))];
    }

    /// <summary>How many messages a queue has, those that are being handled too.</summary>
    public static async Task<int> LengthAsync(string storage, string queue) => (await new QueueClient(storage, queue).GetPropertiesAsync()).Value.ApproximateMessagesCount;

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Host.DisposeAsync();
        await Script.DisposeAsync();
        _app.Dispose();
    }
}
