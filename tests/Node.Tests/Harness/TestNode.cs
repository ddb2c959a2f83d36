using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Azure.Core;
using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Baton.Node.Tests.Harness;

/// <summary>A whole node in this process: real Kestrel on a free port, real storage, the scripted control plane.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    public const string ClusterId = "b";
    public const string ControlSecret = "control-secret-of-the-test";
    public const string ClientSecret = "client-secret-of-the-test";

    private readonly WebApplication _app;
    private readonly TempFolder _replicas;

    private TestNode(WebApplication app, string id, TempFolder replicas)
    {
        (_app, _replicas) = (app, replicas);
        Id = id;
        var address = new Uri(app.Urls.First());
        Client = NewClient(address, ClientSecret);
        Control = NewClient(address, ControlSecret);
        Anonymous = NewClient(address, null);
    }

    public string Id { get; }

    public HttpClient Client { get; }

    public HttpClient Control { get; }

    public HttpClient Anonymous { get; }

    public IServiceProvider Services => _app.Services;

    public static Task<TestNode> StartAsync(NodeFixture fixture, ScriptedControlPlane plane, string id = "node-1", params (string Key, string Value)[] settings) =>
        StartAsync(fixture, plane, id, configure: null, settings);

    public static Task<TestNode> StartAsync(NodeFixture fixture, ScriptedControlPlane plane, string id, StorageFault? fault, params (string Key, string Value)[] settings) =>
        StartAsync(fixture, plane, id, fault, TimeProvider.System, settings);

    /// <summary>A node whose clock the test sets.</summary>
    public static Task<TestNode> StartAsync(NodeFixture fixture, ScriptedControlPlane plane, string id, StorageFault? fault, TimeProvider time, params (string Key, string Value)[] settings) =>
        StartAsync(
            fixture,
            plane,
            id,
            builder =>
            {
                builder.Services.AddSingleton(time);
                if (fault is not null)
                {
                    var options = new StorageOptions { ConnectionString = fixture.ConnectionString };
                    builder.Services.AddSingleton(BatonStorage.Open(options, configureBlobs: blobs => blobs.AddPolicy(fault, HttpPipelinePosition.PerRetry)));
                }
            },
            settings);

    public static Task<TestNode> StartAsync(NodeFixture fixture, ScriptedControlPlane plane, string id, Action<WebApplicationBuilder>? configure, params (string Key, string Value)[] settings) =>
        StartAsync(fixture, plane.Address, id, configure, settings);

    /// <summary>A node of any control plane that takes <see cref="ScriptedControlPlane.Key"/>.</summary>
    public static async Task<TestNode> StartAsync(NodeFixture fixture, Uri plane, string id, Action<WebApplicationBuilder>? configure, params (string Key, string Value)[] settings)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase)
        {
            ["Node:Id"] = id,
            ["Node:ListenPort"] = "0",
            ["Node:HeartbeatIntervalMs"] = "50",

            // A control plane that a test has silenced does not say goodbye either.
            ["Node:DrainTimeoutMs"] = "300",
            ["Cluster:Id"] = ClusterId,
            ["Cluster:Secret"] = ControlSecret,
            ["Cluster:ClientSecret"] = ClientSecret,
            ["ControlPlane:Url"] = plane.ToString(),
            ["ControlPlane:Key"] = ScriptedControlPlane.Key,
            ["Storage:ConnectionString"] = fixture.ConnectionString,
        };
        // Its own unless the test gives it one, in which it then finds what an earlier node has left.
        var replicas = new TempFolder();
        values["Replicas:Folder"] = replicas.Path;
        foreach (var (key, value) in settings)
        {
            values[key] = value;
        }

        var app = NodeApplication.Build([], builder =>
        {
            builder.Logging.ClearProviders();
            builder.Configuration.AddInMemoryCollection(values);
            configure?.Invoke(builder);
        });
        await app.StartAsync();
        return new TestNode(app, id, replicas);
    }

    /// <summary>A node that leads <paramref name="channel"/> at <paramref name="term"/>, by its join's assignments.</summary>
    public static async Task<TestNode> LeadingAsync(NodeFixture fixture, ScriptedControlPlane plane, string channel, long term = 1, string id = "node-1", params (string Key, string Value)[] settings)
    {
        plane.Assign(id, new Assignment(channel, "leader", term, null));
        var node = await StartAsync(fixture, plane, id, settings);
        await node.LeadsAsync(channel, term);
        return node;
    }

    /// <summary>Waits until the node leads a channel.</summary>
    public Task LeadsAsync(string channel, long term) =>
        Eventually.HoldsAsync(async () => await StatusAsync(channel) is { Role: "leader" } status && status.Term == term, $"{Id} leads {channel} at term {term}");

    public async Task<ChannelStatus> StatusAsync(string channel) => await OkAsync<ChannelStatus>(Client.GetAsync($"channels/{channel}/status"));

    public Task<HttpResponseMessage> PostAsync(string path, object body, HttpClient? by = null) =>
        PostRawAsync(path, JsonSerializer.Serialize(body, body.GetType(), BatonJson.Options), by);

    public async Task<HttpResponseMessage> PostRawAsync(string path, string body, HttpClient? by = null)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await (by ?? Client).PostAsync(new Uri(path, UriKind.Relative), content);
    }

    public Task<AppendResponse> AppendAsync(string channel, params string[] messages) =>
        OkAsync<AppendResponse>(PostAsync($"channels/{channel}/messages", new AppendRequest([.. messages.Select(m => new MessageBody(Encoding.UTF8.GetBytes(m)))])));

    public Task<ReadResponse> ReadAsync(string channel, string isolation = "committed", long from = 1, int max = 1000, int waitMs = 0) =>
        OkAsync<ReadResponse>(Client.GetAsync($"channels/{channel}/messages?from={from}&max={max}&waitMs={waitMs}&isolation={isolation}"));

    /// <summary>Reads that wait for the channel to grow.</summary>
    public int WaitingReaders(string channel) => Services.GetRequiredService<ChannelTable>().Find(channel)?.WaitingReaders ?? 0;

    /// <summary>Payloads as text, of what a reader sees.</summary>
    public async Task<string[]> TextsAsync(string channel, string isolation = "committed") =>
        [.. (await ReadAsync(channel, isolation)).Messages.Select(m => Encoding.UTF8.GetString(m.Payload))];

    /// <summary>The body of a successful answer.</summary>
    public static async Task<T> OkAsync<T>(Task<HttpResponseMessage> call)
    {
        using var answer = await call;
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode}: {text}");
        return JsonSerializer.Deserialize<T>(text, BatonJson.Options)!;
    }

    /// <summary>The problem of an answer that must be this error.</summary>
    public static async Task<Problem> ProblemAsync(Task<HttpResponseMessage> call, ApiErrorCode code)
    {
        using var answer = await call;
        var text = await answer.Content.ReadAsStringAsync();
        Assert.Equal(Problem.MediaType, answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonSerializer.Deserialize<Problem>(text, BatonJson.Options)!;
        Assert.Equal(code.ToString(), problem.Code);
        Assert.Equal((HttpStatusCode)code.Status(), answer.StatusCode);
        Assert.Equal(code.Status(), problem.Status);
        Assert.Equal($"urn:baton:error:{code}", problem.Type);
        return problem;
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Client.Dispose();
        Control.Dispose();
        Anonymous.Dispose();
        _replicas.Dispose();
    }

    private static HttpClient NewClient(Uri address, string? secret)
    {
        var client = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(120) };
        if (secret is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        }

        return client;
    }
}
