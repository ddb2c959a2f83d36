using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Baton.DevHost.Processes;

namespace Baton.Gateway.Tests.Harness;

/// <summary>A gateway as a process of its own, as a supervisor starts it.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private const string Ready = "Baton gateway listening on ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly ChildProcess _process;
    private readonly HttpClient _http;

    private GatewayProcess(ChildProcess process, ConcurrentQueue<string> output, ConcurrentQueue<string> errors)
    {
        (_process, Output, Errors) = (process, output, errors);
        _http = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { Timeout = Patience };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestGateway.ClientSecret);
    }

    /// <summary>The lines of its output.</summary>
    public ConcurrentQueue<string> Output { get; }

    /// <summary>The lines of its error output.</summary>
    public ConcurrentQueue<string> Errors { get; }

    /// <summary>Starts one with good settings but for these.</summary>
    public static GatewayProcess Start(Uri controlPlane, params (string Key, string Value)[] settings)
    {
        var environment = TestGateway.Good(controlPlane).ToDictionary(s => EnvironmentName(s.Key), s => s.Value!, StringComparer.OrdinalIgnoreCase);
        environment["ExitWhenStdinCloses"] = "true";
        foreach (var (key, value) in settings)
        {
            environment[EnvironmentName(key)] = value;
        }

        var (output, errors) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        string[] program = [typeof(GatewayApplication).Assembly.Location];
        return new GatewayProcess(ChildProcess.Start(new ChildProcessStart("gateway", "dotnet", program, Environment: environment, OnLine: output.Enqueue, OnErrorLine: errors.Enqueue)), output, errors);
    }

    /// <summary>Waits until it listens and has a route.</summary>
    public async Task IsReadyAsync()
    {
        var ready = await _process.WaitForLineAsync(l => l.Contains(Ready, StringComparison.Ordinal), Patience, CancellationToken.None);
        _http.BaseAddress = new Uri(ready[(ready.IndexOf(Ready, StringComparison.Ordinal) + Ready.Length)..].Trim());
        await Eventually.HoldsAsync(async () => !(await MetricsAsync()).Contains("\nbaton_gateway_route_version -1\n", StringComparison.Ordinal), "the gateway has a route");
    }

    public Task<HttpResponseMessage> AppendAsync(string channel) =>
        _http.PostAsync(new Uri($"channels/{channel}/messages", UriKind.Relative), TestGateway.Json("""{"messages":[{"payload":"AAAA"}]}"""));

    public Task<HttpResponseMessage> GetAsync(string path) => _http.GetAsync(new Uri(path, UriKind.Relative));

    /// <summary>Waits until it holds so many requests.</summary>
    public Task HoldsAsync(int requests) =>
        Eventually.HoldsAsync(async () => (await MetricsAsync()).Contains($"\nbaton_gateway_held_requests {requests}\n", StringComparison.Ordinal), $"{requests} requests are held");

    /// <summary>Sends SIGTERM and waits until it takes no connection any more.</summary>
    public async Task TerminateAsync()
    {
        await _process.TerminateAsync(CancellationToken.None);
        await Eventually.HoldsAsync(RefusesAsync, "the gateway takes no connection");
    }

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

    private static string EnvironmentName(string setting) => setting.Replace(":", "__", StringComparison.Ordinal);

    private Task<string> MetricsAsync() => _http.GetStringAsync(new Uri("metrics", UriKind.Relative));

    // A new connection each time: one that is open already may be served to its end.
    private async Task<bool> RefusesAsync()
    {
        using var client = new HttpClient { BaseAddress = _http.BaseAddress, Timeout = Patience };
        try
        {
            using var answer = await client.GetAsync(new Uri("health", UriKind.Relative));
            return false;
        }
        catch (HttpRequestException)
        {
            return true;
        }
    }
}
