using System.Globalization;
using System.Net;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Edge.Connections;
using Baton.Edge.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.ControlPlane;

/// <summary>The gateway's calls to the control plane. One attempt each: whoever calls knows whether and when another is right.</summary>
internal sealed class ControlPlaneClient : IDisposable
{
    /// <summary>What a call may take beside what it asks to wait.</summary>
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(2);

    private readonly HttpClient _http;

    public ControlPlaneClient(IOptions<ControlPlaneSettings> settings)
    {
        _http = new HttpClient(new ConnectFaults(new SocketsHttpHandler
        {
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),

            // A report that has to make its connection first would be late by that.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ConnectTimeout = CallTimeout,
            UseCookies = false,
        }))
        {
            BaseAddress = settings.Value.Url!.AsFolder(),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Add("x-functions-key", settings.Value.Key);
    }

    /// <summary>The route once its version is above <paramref name="since"/>; at once where that is null. Null when there is none within <paramref name="wait"/>.</summary>
    /// <exception cref="ControlPlaneException">No answer in time, or not a route.</exception>
    public async Task<RouteView?> RouteAsync(long? since, TimeSpan wait, CancellationToken ct)
    {
        var path = since is { } version ? string.Create(CultureInfo.InvariantCulture, $"api/route?since={version}&waitMs={(long)wait.TotalMilliseconds}") : "api/route";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter((since is null ? TimeSpan.Zero : wait) + CallTimeout);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        using var answer = await SendAsync(request, "the route", limit.Token, ct);
        if (answer.StatusCode == HttpStatusCode.NotModified)
        {
            return null;
        }

        try
        {
            return await answer.Content.ReadFromJsonAsync<RouteView>(BatonJson.Options, limit.Token) is { } route && IsWhole(route)
                ? route
                : throw new ControlPlaneException("the route came without what belongs there");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new ControlPlaneException("the route came as JSON of another shape", e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new ControlPlaneException($"the route did not come to its end: {e.Message}", e);
        }
    }

    /// <summary>Reports that a node cannot be reached.</summary>
    /// <exception cref="ControlPlaneException">It was not taken.</exception>
    public async Task ReportFailedAsync(string nodeId, NodeFailedRequest report, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(CallTimeout);

        // Buffered, so that a Content-Length goes out: the Functions host loses chunked bodies.
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"api/nodes/{nodeId}/failed", UriKind.Relative))
        {
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(report, BatonJson.Options)),
        };
        request.Content.Headers.ContentType = new("application/json");
        using var answer = await SendAsync(request, "the report", limit.Token, ct);
    }

    public void Dispose() => _http.Dispose();

    private static bool IsWhole(RouteView route) =>
        route.Channels is not null && route.Channels.Values.All(e => e is { NodeId: not null, Endpoint: not null } && e.Endpoint.IsHttp());

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string what, CancellationToken limit, CancellationToken ct)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit);
        }
        catch (HttpRequestException e)
        {
            throw new ControlPlaneException($"{what}: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new ControlPlaneException($"{what}: no answer in time", e);
        }

        if (answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NotModified)
        {
            return answer;
        }

        using (answer)
        {
            throw new ControlPlaneException($"{what}: the control plane answered {(int)answer.StatusCode}");
        }
    }
}

/// <summary>A call to the control plane did not succeed.</summary>
internal sealed class ControlPlaneException(string message, Exception? inner = null) : Exception(message, inner);
