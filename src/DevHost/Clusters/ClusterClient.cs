using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Operations;
using Baton.Edge.Connections;

namespace Baton.DevHost.Clusters;

/// <summary>Speaks to one cluster over HTTP, as operators, clients and the other cluster do. Errors come back as values: see <see cref="ApiAnswer{T}"/>.</summary>
public sealed class ClusterClient : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);
    private readonly HttpClient _http = new(new ConnectFaults(new SocketsHttpHandler())) { Timeout = TimeSpan.FromSeconds(100) };
    private readonly Uri _controlPlane;
    private readonly ClusterSecrets _secrets;

    /// <summary>A client of the control plane at <paramref name="controlPlane"/>.</summary>
    public ClusterClient(Uri controlPlane, ClusterSecrets secrets)
    {
        _controlPlane = controlPlane;
        _secrets = secrets;
    }

    /// <summary>A request to the control plane. Key null sends none.</summary>
    public async Task<ApiAnswer<T>> ControlPlaneAsync<T>(HttpMethod method, string path, HttpContent? content, string? key, CancellationToken cancellationToken)
        where T : class
    {
        using var request = new HttpRequestMessage(method, new Uri(_controlPlane, path)) { Content = content };
        if (key is not null)
        {
            request.Headers.Add("x-functions-key", key);
        }

        using var response = await _http.SendAsync(request, cancellationToken);
        return await ApiAnswer<T>.ReadAsync(response, cancellationToken);
    }

    /// <summary>A GET from the control plane.</summary>
    public Task<ApiAnswer<T>> GetAsync<T>(string path, CancellationToken cancellationToken)
        where T : class => ControlPlaneAsync<T>(HttpMethod.Get, path, null, _secrets.FunctionKey, cancellationToken);

    /// <summary>A body as the API's JSON, with its length: the Functions host drops bodies without one.</summary>
    public static HttpContent Json<T>(T body) => new ByteArrayContent(System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(body, BatonJson.Options))
    {
        Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
    };

    /// <summary><c>PUT /api/replicate-configuration</c>.</summary>
    public Task<ApiAnswer<UpdateReplicateConfigurationResponse>> UpdateReplicateConfigurationAsync(UpdateReplicateConfigurationRequest request, CancellationToken cancellationToken) =>
        ControlPlaneAsync<UpdateReplicateConfigurationResponse>(HttpMethod.Put, "api/replicate-configuration", Json(request), _secrets.AdminKey, cancellationToken);

    /// <summary><c>GET /api/replicate-configuration</c>.</summary>
    public async Task<ReplicateConfigurationView> ReplicateConfigurationAsync(CancellationToken cancellationToken) =>
        (await GetAsync<ReplicateConfigurationView>("api/replicate-configuration", cancellationToken)).Value;

    /// <summary><c>GET /api/topology</c>.</summary>
    public async Task<TopologyView> TopologyAsync(CancellationToken cancellationToken) => (await GetAsync<TopologyView>("api/topology", cancellationToken)).Value;

    /// <summary><c>GET /api/operations/{id}</c>.</summary>
    public Task<ApiAnswer<Operation>> OperationAsync(string id, CancellationToken cancellationToken) => GetAsync<Operation>($"api/operations/{id}", cancellationToken);

    /// <summary>An operation, once it has ended.</summary>
    /// <exception cref="TimeoutException">It has not within <paramref name="timeout"/>.</exception>
    public async Task<Operation> OperationEndedAsync(string id, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Operation? operation = null;
        await UntilAsync(
            $"operation {id} has ended", async () => (operation = (await OperationAsync(id, cancellationToken)).Body) is { Status: not OperationStatus.Running }, timeout, cancellationToken);
        return operation!;
    }

    /// <summary><c>POST /api/channels/{name}/move</c>.</summary>
    public Task<ApiAnswer<OperationAccepted>> MoveAsync(string channel, string to, CancellationToken cancellationToken) =>
        ControlPlaneAsync<OperationAccepted>(HttpMethod.Post, $"api/channels/{channel}/move", Json(new MoveChannelRequest(to)), _secrets.FunctionKey, cancellationToken);

    /// <summary><c>DELETE /api/nodes/{nodeId}</c>.</summary>
    public Task<ApiAnswer<OperationAccepted>> RemoveNodeAsync(string nodeId, CancellationToken cancellationToken) =>
        ControlPlaneAsync<OperationAccepted>(HttpMethod.Delete, $"api/nodes/{nodeId}", null, _secrets.AdminKey, cancellationToken);

    /// <summary><c>POST /api/nodes/{nodeId}/failed</c>.</summary>
    public async Task ReportFailedAsync(string nodeId, NodeFailedRequest request, CancellationToken cancellationToken) =>
        _ = (await ControlPlaneAsync<object>(HttpMethod.Post, $"api/nodes/{nodeId}/failed", Json(request), _secrets.FunctionKey, cancellationToken)).Status is var status and >= 300
            ? throw new ApiAnswerException($"HTTP {status}: node {nodeId} could not be reported", status) : true;

    /// <summary><c>GET /api/timeline</c>: newest first.</summary>
    public async Task<IReadOnlyList<TimelineView>> TimelineAsync(int last, CancellationToken cancellationToken) =>
        (await GetAsync<IReadOnlyList<TimelineView>>(string.Create(CultureInfo.InvariantCulture, $"api/timeline?last={last}"), cancellationToken)).Value;

    /// <summary><c>GET /api/route</c> once its version is above <paramref name="since"/>; null where it was not within the wait.</summary>
    public async Task<RouteView?> RouteAfterAsync(long since, int waitMs, CancellationToken cancellationToken)
    {
        var answer = await GetAsync<RouteView>(string.Create(CultureInfo.InvariantCulture, $"api/route?since={since}&waitMs={waitMs}"), cancellationToken);
        return answer.Status == 304 ? null : answer.Value;
    }

    /// <summary><c>GET /api/route</c>.</summary>
    public async Task<RouteView> RouteAsync(CancellationToken cancellationToken) => (await GetAsync<RouteView>("api/route", cancellationToken)).Value;

    /// <summary><c>GET /api/cdc-tasks</c>, without tokens.</summary>
    public async Task<CdcTasksView> CdcTasksAsync(CancellationToken cancellationToken) => (await GetAsync<CdcTasksView>("api/cdc-tasks", cancellationToken)).Value;

    /// <summary><c>GET /api/salvage</c>.</summary>
    public async Task<SalvageView> SalvageAsync(CancellationToken cancellationToken) => (await GetAsync<SalvageView>("api/salvage", cancellationToken)).Value;

    /// <summary><c>PUT /api/channels/{name}</c>.</summary>
    public async Task CreateChannelAsync(string name, int replicationFactor, CancellationToken cancellationToken) =>
        _ = (await ControlPlaneAsync<ChannelView>(HttpMethod.Put, $"api/channels/{name}", Json(new CreateChannelRequest(replicationFactor)), _secrets.FunctionKey, cancellationToken)).Value;

    /// <summary><c>POST /api/broadcasts</c>.</summary>
    public async Task<BroadcastView> CreateBroadcastAsync(CreateBroadcastRequest request, CancellationToken cancellationToken) =>
        (await ControlPlaneAsync<BroadcastView>(HttpMethod.Post, "api/broadcasts", Json(request), _secrets.FunctionKey, cancellationToken)).Value;

    /// <summary><c>GET /api/broadcasts/{id}</c>.</summary>
    public Task<ApiAnswer<BroadcastView>> BroadcastAsync(long id, CancellationToken cancellationToken) =>
        GetAsync<BroadcastView>(string.Create(CultureInfo.InvariantCulture, $"api/broadcasts/{id}"), cancellationToken);

    /// <summary><c>GET /api/broadcasts?state=…</c>: up to a thousand tasks.</summary>
    public async Task<IReadOnlyList<BroadcastView>> BroadcastsAsync(BroadcastState state, CancellationToken cancellationToken) =>
        (await GetAsync<IReadOnlyList<BroadcastView>>($"api/broadcasts?state={state}", cancellationToken)).Value;

    /// <summary>A request to the node that leads <paramref name="channel"/>, with the client's secret, or the control secret for what nodes take from the control plane and CDC.</summary>
    public async Task<ApiAnswer<T>> LeaderAsync<T>(HttpMethod method, string channel, string path, HttpContent? content, bool asControlPlane, CancellationToken cancellationToken)
        where T : class
    {
        var route = await RouteAsync(cancellationToken);
        if (!route.Channels.TryGetValue(channel, out var leader))
        {
            throw new ApiAnswerException($"Channel {channel} has no leader.", 503);
        }

        return await NodeAsync<T>(leader.Endpoint, method, $"channels/{channel}/{path}", content, asControlPlane, cancellationToken);
    }

    /// <summary>A request to the node at <paramref name="node"/>, with the client's secret or the control secret.</summary>
    public async Task<ApiAnswer<T>> NodeAsync<T>(Uri node, HttpMethod method, string path, HttpContent? content, bool asControlPlane, CancellationToken cancellationToken)
        where T : class
    {
        using var request = new HttpRequestMessage(method, new Uri(node, path)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", asControlPlane ? _secrets.ControlSecret : _secrets.ClientSecret);
        using var response = await _http.SendAsync(request, cancellationToken);
        return await ApiAnswer<T>.ReadAsync(response, cancellationToken);
    }

    /// <summary>A client's request to a node or a gateway with the stamp <c>id;sequence</c> of its producer, so that it may be sent again; null sends none.</summary>
    public async Task<ApiAnswer<T>> StampedAsync<T>(Uri to, HttpMethod method, string path, HttpContent? content, string? stamp, CancellationToken cancellationToken)
        where T : class
    {
        using var request = new HttpRequestMessage(method, new Uri(to, path)) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _secrets.ClientSecret);
        if (stamp is not null)
        {
            request.Headers.Add(BatonHeaders.Producer, stamp);
        }

        using var response = await _http.SendAsync(request, cancellationToken);
        return await ApiAnswer<T>.ReadAsync(response, cancellationToken);
    }

    /// <summary>Appends messages through the channel's leader.</summary>
    public Task<ApiAnswer<AppendResponse>> AppendAsync(string channel, AppendRequest request, CancellationToken cancellationToken) =>
        LeaderAsync<AppendResponse>(HttpMethod.Post, channel, "messages", Json(request), asControlPlane: false, cancellationToken);

    /// <summary>Reads a whole channel from its beginning.</summary>
    public async Task<IReadOnlyList<ReadMessage>> ReadAllAsync(string channel, Isolation isolation, CancellationToken cancellationToken)
    {
        const int page = 1_000;
        var messages = new List<ReadMessage>();
        var from = 1L;
        while (true)
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"messages?from={from}&max={page}&isolation={(isolation == Isolation.All ? "all" : "committed")}");
            var read = (await LeaderAsync<ReadResponse>(HttpMethod.Get, channel, path, null, asControlPlane: false, cancellationToken)).Value;
            messages.AddRange(read.Messages);
            if (read.NextLsn > read.LastLsn || read.NextLsn == from)
            {
                return messages;
            }

            from = read.NextLsn;
        }
    }

    /// <summary>How the leader sees the channel.</summary>
    public async Task<ChannelStatus> StatusAsync(string channel, CancellationToken cancellationToken) =>
        (await LeaderAsync<ChannelStatus>(HttpMethod.Get, channel, "status", null, asControlPlane: false, cancellationToken)).Value;

    /// <summary>Delivers records of another cluster's channel, as CDC does.</summary>
    public Task<ApiAnswer<ReplicateResponse>> ReplicateAsync(string channel, ReplicateRequest request, CancellationToken cancellationToken) =>
        LeaderAsync<ReplicateResponse>(HttpMethod.Post, channel, "replicate", Json(request), asControlPlane: true, cancellationToken);

    /// <summary>Waits until so many nodes have joined and beat.</summary>
    public Task WaitForNodesAsync(int count, TimeSpan timeout, CancellationToken cancellationToken) =>
        UntilAsync($"{count} nodes have joined", async () => (await TopologyAsync(cancellationToken)).Nodes.Count(n => !n.Failed && n.LastHeartbeat is not null) >= count, timeout, cancellationToken);

    /// <summary>Waits until every channel is open on the node that leads it. One that was found so is not asked again.</summary>
    public Task WaitUntilServingAsync(IReadOnlyList<string> channels, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var waitingFor = new Queue<string>(channels);
        return UntilAsync(
            $"{string.Join(", ", channels)} are served",
            async () =>
            {
                while (waitingFor.TryPeek(out var channel))
                {
                    var answer = await LeaderAsync<ChannelStatus>(HttpMethod.Get, channel, "status", null, asControlPlane: false, cancellationToken);
                    if (answer.Body is not { Role: "leader" })
                    {
                        return false;
                    }

                    waitingFor.Dequeue();
                }

                return true;
            },
            timeout,
            cancellationToken);
    }

    /// <summary>Asks again and again, bounded, until a condition holds. An answer that is not yet a success, or no answer at all, means not yet.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(holds);
        var clock = Stopwatch.StartNew();
        Exception? last = null;
        while (clock.Elapsed < timeout)
        {
            try
            {
                if (await holds())
                {
                    return;
                }

                last = null;
            }
            catch (Exception e) when (e is ApiAnswerException or HttpRequestException)
            {
                last = e;
            }

            await Task.Delay(PollInterval, cancellationToken);
        }

        throw new TimeoutException($"Waited {timeout.TotalSeconds:0} s until {what}. {last?.Message}", last);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
