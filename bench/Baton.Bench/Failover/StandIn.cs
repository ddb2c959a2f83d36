using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Baton.Core.Api;
using Baton.DevHost.Clusters;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Bench.Failover;

/// <summary>How a stand-in treats who calls it.</summary>
internal enum StandInKind
{
    /// <summary>It answers everything at once, and notes when writes came.</summary>
    Answers,

    /// <summary>As <see cref="Answers"/>, but a write never gets an answer.</summary>
    HoldsWrites,

    /// <summary>It takes connections and never answers.</summary>
    Hangs,

    /// <summary>It drops what it is sent: a connection is never made.</summary>
    Drops,
}

/// <summary>A node that this process plays: it joins and beats as a node does, so that the control plane takes it for a live one, and treats callers as it likes.</summary>
internal sealed class StandIn : IAsyncDisposable
{
    private static readonly TimeSpan BeatInterval = TimeSpan.FromMilliseconds(500);
    private readonly LocalCluster _cluster;
    private readonly HttpClient _http = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<IDisposable> _held = [];
    private Uri _endpoint = null!;
    private WebApplication? _app;
    private long _incarnation;
    private Task _beating = Task.CompletedTask;

    private StandIn(LocalCluster cluster, string nodeId)
    {
        _cluster = cluster;
        NodeId = nodeId;
    }

    public string NodeId { get; }

    /// <summary>When writes arrived, by channel, with the term that they were sent at (UTC).</summary>
    public ConcurrentQueue<(string Channel, long Term, DateTimeOffset At)> Writes { get; } = new();

    /// <summary>It answers writes from now on, or keeps them.</summary>
    public bool HoldsWrites { get; set; }

    /// <summary>Starts one, joined and beating.</summary>
    public static async Task<StandIn> StartAsync(LocalCluster cluster, string nodeId, StandInKind kind, CancellationToken cancellationToken)
    {
        var node = new StandIn(cluster, nodeId) { HoldsWrites = kind == StandInKind.HoldsWrites };
        var port = kind switch
        {
            StandInKind.Hangs => node.Hang(),
            StandInKind.Drops => node.Drop(),
            _ => await node.AnswerAsync(cancellationToken),
        };
        node._endpoint = new Uri($"http://127.0.0.1:{port}/");
        await node.JoinAsync(cancellationToken);
        node._beating = node.BeatAsync();
        return node;
    }

    /// <summary>Joins, again after it was reported.</summary>
    public async Task JoinAsync(CancellationToken cancellationToken)
    {
        var answer = await _cluster.Client.ControlPlaneAsync<JoinNodeResponse>(
            HttpMethod.Put, $"api/nodes/{NodeId}", ClusterClient.Json(new JoinNodeRequest(_endpoint, Instance: Guid.NewGuid().ToString("N"))), _cluster.Secrets.FunctionKey, cancellationToken);
        Volatile.Write(ref _incarnation, answer.Value.Incarnation);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _beating;
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        foreach (var held in _held)
        {
            held.Dispose();
        }

        _http.Dispose();
        _stop.Dispose();
    }

    private async Task BeatAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = await _cluster.Client.ControlPlaneAsync<HeartbeatResponse>(
                    HttpMethod.Post, $"api/nodes/{NodeId}/heartbeat", ClusterClient.Json(new HeartbeatRequest(Volatile.Read(ref _incarnation), [])), _cluster.Secrets.FunctionKey, _stop.Token);
                await Task.Delay(BeatInterval, _stop.Token);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // A beat that is lost is a beat that is lost.
            }
        }
    }

    private int Hang()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start(1_000);
        _held.Add(listener);
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    // A listener whose queue is full: the kernel drops what else asks for a connection, as a host does that is gone from its network.
    private int Drop()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        _held.Add(listener);
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        for (var i = 0; i < 8; i++)
        {
            var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            _held.Add(filler);
            try
            {
                filler.Connect(IPAddress.Loopback, port);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                // On its way, for ever.
            }
        }

        return port;
    }

    private async Task<int> AnswerAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapGet("/health", () => Results.Json(new { status = "ok", nodeId = NodeId, clusterId = _cluster.ClusterId, incarnation = _incarnation, channelsLed = 0 }, BatonJson.Options));
        _app.MapPost("/channels/open", () => Results.StatusCode(StatusCodes.Status202Accepted));
        _app.MapPost("/channels/{channel}/messages", WriteAsync);
        await _app.StartAsync(cancellationToken);
        return new Uri(_app.Urls.First()).Port;
    }

    private async Task<IResult> WriteAsync(string channel, HttpRequest request)
    {
        var at = DateTimeOffset.UtcNow;
        var term = long.TryParse(request.Headers[BatonHeaders.Term], System.Globalization.CultureInfo.InvariantCulture, out var sent) ? sent : 0;
        Writes.Enqueue((channel, term, at));
        if (HoldsWrites)
        {
            await Task.Delay(Timeout.Infinite, request.HttpContext.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return Results.Json(new AppendResponse(1, 1, 1, term), BatonJson.Options);
    }
}
