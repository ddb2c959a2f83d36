using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Processes;

namespace Baton.Node.Tests.Harness;

/// <summary>A node as a process of its own, as a supervisor starts it.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private const string Ready = "Baton node listening on ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _process;
    private readonly List<string> _lines;
    private readonly HttpClient _http;

    private NodeProcess(ChildProcess process, List<string> lines, Uri address)
    {
        (_process, _lines) = (process, lines);
        _http = new HttpClient { BaseAddress = address, Timeout = Patience };
    }

    /// <summary>What it has printed so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public static async Task<NodeProcess> StartAsync(NodeFixture fixture, ScriptedControlPlane plane, string id, params (string Key, string Value)[] settings)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Node__Id"] = id,
            ["Node__ListenPort"] = "0",
            ["Node__HeartbeatIntervalMs"] = "50",
            ["Cluster__Id"] = TestNode.ClusterId,
            ["Cluster__Secret"] = TestNode.ControlSecret,
            ["Cluster__ClientSecret"] = TestNode.ClientSecret,
            ["ControlPlane__Url"] = plane.Address.ToString(),
            ["ControlPlane__Key"] = ScriptedControlPlane.Key,
            ["Storage__ConnectionString"] = fixture.ConnectionString,
            ["ExitWhenStdinCloses"] = "true",
        };
        foreach (var (key, value) in settings)
        {
            environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        List<string> lines = [];
        var process = ChildProcess.Start(new ChildProcessStart($"node {id}", "dotnet", [typeof(NodeApplication).Assembly.Location], Environment: environment, OnLine: line =>
        {
            lock (lines)
            {
                lines.Add(line);
            }
        }));
        var ready = await process.WaitForLineAsync(l => l.Contains(Ready, StringComparison.Ordinal), Patience, CancellationToken.None);
        var address = ready[(ready.IndexOf(Ready, StringComparison.Ordinal) + Ready.Length)..].Split('"')[0].Trim();
        return new NodeProcess(process, lines, new Uri(address));
    }

    /// <summary>A call with the control secret.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestNode.ControlSecret);
        if (body is not null)
        {
            request.Content = new StringContent(JsonSerializer.Serialize(body, body.GetType(), BatonJson.Options), Encoding.UTF8, "application/json");
        }

        return await _http.SendAsync(request);
    }

    /// <summary>Waits until it leads a channel.</summary>
    public Task LeadsAsync(string channel, long term) => Eventually.HoldsAsync(
        async () => await TestNode.OkAsync<ChannelStatus>(SendAsync(HttpMethod.Get, $"channels/{channel}/status")) is { Role: "leader" } status && status.Term == term,
        $"it leads {channel} at term {term}");

    public Task TerminateAsync() => _process.TerminateAsync(CancellationToken.None);

    /// <summary>Its exit code, when it has ended by itself.</summary>
    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _http.Dispose();
    }
}
