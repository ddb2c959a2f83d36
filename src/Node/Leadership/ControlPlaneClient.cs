using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Edge.Connections;
using Baton.Edge.Settings;
using Baton.Node.Settings;
using Baton.Node.Status;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>This node's calls to its control plane. One attempt each: whoever calls knows whether and when another is right.</summary>
internal sealed class ControlPlaneClient
{
    /// <summary>Joining again makes what this node has opened since void, so a slow answer is waited for.</summary>
    private static readonly TimeSpan JoinTimeout = TimeSpan.FromSeconds(15);

    private const string CdcPath = "api/cdc-tasks";
    private const string TopicChannelsPath = "api/topics/channels";

    private readonly HttpClient _http;
    private readonly TimeSpan _timeout;
    private readonly string _nodePath;
    private readonly AuthenticationHeaderValue _clusterSecret;
    private readonly NodeMetrics _metrics;

    public ControlPlaneClient(HttpClient http, IOptions<NodeSettings> node, IOptions<ClusterSettings> cluster, IOptions<ControlPlaneSettings> controlPlane, NodeMetrics metrics)
    {
        (_http, _metrics) = (http, metrics);
        _clusterSecret = new AuthenticationHeaderValue("Bearer", cluster.Value.Secret);
        _http.BaseAddress = controlPlane.Value.Url!.AsFolder();
        _http.Timeout = Timeout.InfiniteTimeSpan;
        _timeout = TimeSpan.FromMilliseconds(node.Value.ControlPlaneTimeoutMs);
        _http.DefaultRequestHeaders.Add("x-functions-key", controlPlane.Value.Key);
        _nodePath = $"api/nodes/{node.Value.Id}";
    }

    /// <summary>Joins or rejoins; everything this node held before is void.</summary>
    public async Task<JoinNodeResponse> JoinAsync(JoinNodeRequest request, CancellationToken ct)
    {
        var answer = await CountedAsync("join", SendAsync<JoinNodeResponse>(HttpMethod.Put, _nodePath, request, JoinTimeout, a => AreWhole(a.Assignments), ct));
        _metrics.HeartbeatTaken();
        return answer;
    }

    /// <summary>Says what this node holds and hears what it should.</summary>
    public async Task<HeartbeatResponse> HeartbeatAsync(HeartbeatRequest request, CancellationToken ct)
    {
        var answer = await CountedAsync("heartbeat", SendAsync<HeartbeatResponse>(HttpMethod.Post, $"{_nodePath}/heartbeat", request, _timeout, a => AreWhole(a.Assignments), ct));
        _metrics.HeartbeatTaken();
        return answer;
    }

    /// <summary>Says that a record of a broadcast is durable. Repeating it changes nothing.</summary>
    public async Task AckBroadcastAsync(long broadcastId, BroadcastAckRequest request, CancellationToken ct)
    {
        using var limit = Limit(_timeout, ct);
        using var answer = await CountedAsync("ack", SendAsync(HttpMethod.Post, $"api/broadcasts/{broadcastId}/acks", request, limit.Token, ct));
    }

    /// <summary>Says that this node cannot lead some channels. Repeating it changes nothing.</summary>
    public async Task ReportFailedAsync(NodeFailedRequest request, CancellationToken ct)
    {
        using var limit = Limit(_timeout, ct);
        using var answer = await CountedAsync("failed", SendAsync(HttpMethod.Post, $"{_nodePath}/failed", request, limit.Token, ct));
    }

    /// <summary>Says that another node cannot be reached. Repeating it changes nothing.</summary>
    public async Task ReportPeerFailedAsync(string nodeId, NodeFailedRequest request, CancellationToken ct)
    {
        using var limit = Limit(_timeout, ct);
        using var answer = await CountedAsync("peer-failed", SendAsync(HttpMethod.Post, $"api/nodes/{nodeId}/failed", request, limit.Token, ct));
    }

    /// <summary>The cluster's state once its version is above <paramref name="since"/>; null where that is not so within <paramref name="wait"/>.</summary>
    public async Task<TopologyView?> TopologyAsync(long since, TimeSpan wait, CancellationToken ct)
    {
        using var limit = Limit(_timeout + wait, ct);
        var path = string.Create(CultureInfo.InvariantCulture, $"api/topology?since={since}&waitMs={(long)wait.TotalMilliseconds}");
        using var answer = await CountedAsync("topology", SendAsync(HttpMethod.Get, path, null, limit.Token, ct, notModified: true));
        return answer.StatusCode == HttpStatusCode.NotModified ? null : await ReadAsync<TopologyView>(answer, "GET api/topology", t => t.Nodes is not null && t.Channels is not null, ct);
    }

    /// <summary>Creates the channels of topics' partitions, and answers them with their leaders. Repeating it changes nothing.</summary>
    public Task<TopicChannelsResponse> CreateTopicChannelsAsync(CreateTopicChannelsRequest request, CancellationToken ct) =>
        CountedAsync("topic-channels", SendAsync<TopicChannelsResponse>(HttpMethod.Post, TopicChannelsPath, request, JoinTimeout, c => c.Channels?.All(channel => channel is { Name: not null, Replicas: not null }) == true, ct));

    /// <summary>Takes channels of deleted topics out of the cluster. Repeating it changes nothing.</summary>
    public Task<DeletedTopicChannels> DeleteTopicChannelsAsync(DeleteTopicChannelsRequest request, CancellationToken ct) =>
        CountedAsync("topic-channels", SendAsync<DeletedTopicChannels>(HttpMethod.Delete, TopicChannelsPath, request, JoinTimeout, c => c.Deleted is not null, ct));

    /// <summary>Who leads what.</summary>
    public Task<RouteView> RouteAsync(CancellationToken ct) => CountedAsync("route", SendAsync<RouteView>(HttpMethod.Get, "api/route", null, _timeout, r => r.Channels is not null, ct));

    /// <summary>What the channels of this cluster send to which others, with the tokens that it takes.</summary>
    public Task<CdcTasksView> CdcTasksAsync(CancellationToken ct) => CountedAsync(
        "cdc-tasks",
        SendAsync<CdcTasksView>(HttpMethod.Get, CdcPath, null, _timeout, t => t.Tasks?.All(task => task is { Channel: not null, TargetCluster: not null, TargetChannel: not null, Uri: not null }) == true, ct));

    /// <summary>Says what the leader of a source channel learnt. Repeating it changes nothing.</summary>
    public async Task ReportCdcAsync(string channel, string targetCluster, CdcReport report, CancellationToken ct)
    {
        using var limit = Limit(_timeout, ct);
        using var answer = await CountedAsync("cdc-report", SendAsync(HttpMethod.Post, $"{CdcPath}/{channel}/{targetCluster}/report", report, limit.Token, ct));
    }

    private static bool AreWhole(IReadOnlyList<Assignment>? assignments) => assignments?.All(a => a is { Channel: not null, Role: not null }) == true;

    private async Task<T> CountedAsync<T>(string name, Task<T> call)
    {
        try
        {
            var answer = await call;
            _metrics.ControlPlaneCalled(name, answered: true);
            return answer;
        }
        catch (ControlPlaneException)
        {
            _metrics.ControlPlaneCalled(name, answered: false);
            throw;
        }
    }

    private static CancellationTokenSource Limit(TimeSpan timeout, CancellationToken ct)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(timeout);
        return limit;
    }

    /// <summary>The answer's body. One that lacks what <paramref name="isWhole"/> asks for is no answer: nothing may be closed, and no loop may end, because of it.</summary>
    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, TimeSpan timeout, Func<T, bool> isWhole, CancellationToken ct)
    {
        using var limit = Limit(timeout, ct);
        using var answer = await SendAsync(method, path, body, limit.Token, ct);
        return await ReadAsync(answer, $"{method} {path}", isWhole, ct);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage answer, string call, Func<T, bool> isWhole, CancellationToken ct)
    {
        try
        {
            return await answer.Content.ReadFromJsonAsync<T>(BatonJson.Options, ct) is { } whole && isWhole(whole)
                ? whole
                : throw new ControlPlaneException($"{call} answered without what belongs there", answer.StatusCode);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ControlPlaneException($"{call} answered JSON of another shape", answer.StatusCode, e);
        }
    }

    /// <summary>The successful answer, read to its end.</summary>
    /// <exception cref="ControlPlaneException">No answer within the limit, or an error.</exception>
    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body, CancellationToken limit, CancellationToken ct, bool notModified = false)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (path.StartsWith(CdcPath, StringComparison.Ordinal))
        {
            // A function key alone is not enough where tokens are shown, or nodes believed.
            request.Headers.Authorization = _clusterSecret;
        }

        if (body is not null)
        {
            // Buffered, so that a Content-Length goes out: the Functions host loses chunked bodies.
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, body.GetType(), BatonJson.Options));
            request.Content.Headers.ContentType = new("application/json");
        }

        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, limit);
        }
        catch (HttpRequestException e)
        {
            throw new ControlPlaneException($"{method} {path} failed: {e.Message}", null, e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new ControlPlaneException($"{method} {path} got no answer in time", null, e);
        }

        if (answer.IsSuccessStatusCode || (notModified && answer.StatusCode == HttpStatusCode.NotModified))
        {
            return answer;
        }

        using (answer)
        {
            var problem = await ProblemOfAsync(answer, ct);
            throw new ControlPlaneException($"{method} {path} answered {(int)answer.StatusCode}: {problem?.Detail ?? "no detail"}", answer.StatusCode)
            {
                IsConflict = answer.StatusCode == HttpStatusCode.Conflict && problem?.Code == nameof(ApiErrorCode.Conflict),
            };
        }
    }

    private static async Task<Problem?> ProblemOfAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        try
        {
            return await answer.Content.ReadFromJsonAsync<Problem>(BatonJson.Options, ct);
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or InvalidOperationException)
        {
            return null;
        }
    }
}

/// <summary>A call to the control plane did not succeed.</summary>
internal sealed class ControlPlaneException(string message, HttpStatusCode? status, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The status it answered, or null when there was no answer.</summary>
    public HttpStatusCode? Status { get; } = status;

    /// <summary>It is a 409 of the control plane's own, and not of something that stands before it.</summary>
    public bool IsConflict { get; init; }
}
