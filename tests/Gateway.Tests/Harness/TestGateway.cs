using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Baton.Core.Api;
using Baton.Gateway.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Baton.Gateway.Tests.Harness;

/// <summary>A whole gateway in this process: real Kestrel on a free port, the scripted control plane.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    public const string ClientSecret = "client-secret-of-the-test";

    private readonly WebApplication _app;

    private TestGateway(WebApplication app)
    {
        _app = app;
        Address = new Uri(app.Urls.First());
        Client = NewClient(ClientSecret);
        Anonymous = NewClient(null);
    }

    public Uri Address { get; }

    public HttpClient Client { get; }

    public HttpClient Anonymous { get; }

    public IServiceProvider Services => _app.Services;

    public RouteTable Routes => Services.GetRequiredService<RouteTable>();

    /// <summary>Starts one and waits for its first route, if its control plane gives one.</summary>
    public static async Task<TestGateway> StartAsync(ScriptedControlPlane plane, params (string Key, string Value)[] settings)
    {
        var gateway = await StartWithoutRouteAsync(plane, settings);
        await Eventually.HoldsAsync(() => gateway.Routes.Version >= 0, "the gateway has a route");
        return gateway;
    }

    public static async Task<TestGateway> StartWithoutRouteAsync(ScriptedControlPlane plane, params (string Key, string Value)[] settings)
    {
        var values = Good(plane.Address);
        foreach (var (key, value) in settings)
        {
            values[key] = value;
        }

        var app = GatewayApplication.Build([], builder =>
        {
            builder.Logging.ClearProviders();
            builder.Configuration.AddInMemoryCollection(values);
        });
        await app.StartAsync();
        return new TestGateway(app);
    }

    /// <summary>Settings of a gateway whose requests are held for as long as a slow machine needs.</summary>
    public static Dictionary<string, string?> Good(Uri controlPlane) => new(StringComparer.OrdinalIgnoreCase)
    {
        ["Gateway:Id"] = "gateway-1",
        ["Gateway:ListenPort"] = "0",
        ["Gateway:HoldMs"] = "60000",
        ["Gateway:AttemptTimeoutMs"] = "60000",
        ["Gateway:ConnectTimeoutMs"] = "30000",
        ["Cluster:ClientSecret"] = ClientSecret,
        ["ControlPlane:Url"] = controlPlane.ToString(),
        ["ControlPlane:Key"] = ScriptedControlPlane.Key,
    };

    public static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    /// <summary>An append of one message.</summary>
    public Task<HttpResponseMessage> AppendAsync(string channel, string payload = "AAAA", CancellationToken ct = default) =>
        Client.PostAsync(new Uri($"channels/{channel}/messages", UriKind.Relative), Json($$"""{"messages":[{"payload":"{{payload}}"}]}"""), ct);

    public Task<HttpResponseMessage> GetAsync(string path, CancellationToken ct = default) => Client.GetAsync(new Uri(path, UriKind.Relative), ct);

    /// <summary>The gateway's metrics.</summary>
    public Task<string> MetricsAsync() => Anonymous.GetStringAsync(new Uri("metrics", UriKind.Relative));

    /// <summary>Stops it as SIGTERM does.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Anonymous.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private HttpClient NewClient(string? secret)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = Address, Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = secret is null ? null : new AuthenticationHeaderValue("Bearer", secret);
        return client;
    }
}

/// <summary>Reads answers.</summary>
internal static class Answers
{
    public static async Task<AppendResponse> AppendedAsync(this Task<HttpResponseMessage> answer)
    {
        using var response = await answer;
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return (await response.Content.ReadFromJsonAsync<AppendResponse>(BatonJson.Options))!;
    }

    public static async Task<Problem> ProblemAsync(this Task<HttpResponseMessage> answer, ApiErrorCode code)
    {
        using var response = await answer;
        Assert.True(response.Content.Headers.ContentType?.MediaType == Problem.MediaType, $"{(int)response.StatusCode} {response.Content.Headers.ContentType}: {await response.Content.ReadAsStringAsync()}");
        var problem = (await response.Content.ReadFromJsonAsync<Problem>(BatonJson.Options))!;
        Assert.Equal(code.ToString(), problem.Code);
        Assert.Equal(code.Status(), (int)response.StatusCode);
        return problem;
    }
}
