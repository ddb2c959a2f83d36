using System.Collections.Concurrent;
using System.Net;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Baton.Functions.Tests.Doubles;

/// <summary>A call that a node received.</summary>
internal sealed record NodeCall(string NodeId, string Verb, string Channel, ControlRequest? Control = null, OpenChannelRequest? Open = null, IReadOnlyList<ChannelAtTerm>? Many = null, object? Order = null);

/// <summary>
/// The logs that all node doubles of a test share, as nodes share storage: a control message is appended once, whoever is asked, and a repeat gets the first answer.
/// </summary>
internal sealed class SharedLogs
{
    private readonly ConcurrentDictionary<(long BroadcastId, string VChannel), ControlResponse> _appended = new();
    private long _lsn = 100;

    /// <summary>Every control message that was appended, in order.</summary>
    public ConcurrentQueue<ControlRequest> Appended { get; } = new();

    /// <summary>Transactions that are open on a channel; a forced configuration ends them.</summary>
    public ConcurrentDictionary<string, IReadOnlyList<long>> OpenTransactions { get; } = new(StringComparer.Ordinal);

    /// <summary>Where a channel's replication stands.</summary>
    public ConcurrentDictionary<string, ReplicateCheckpoint> Checkpoints { get; } = new(StringComparer.Ordinal);

    /// <summary>Channels' logs, as far as recovery sessions ask for them.</summary>
    public ConcurrentDictionary<string, LogDouble> Records { get; } = new(StringComparer.Ordinal);

    public ControlResponse Append(string channel, ControlRequest request)
    {
        var isNew = false;
        var response = _appended.GetOrAdd((request.BroadcastId, request.VChannel), _ =>
        {
            isNew = true;
            var lsn = Interlocked.Increment(ref _lsn);
            Appended.Enqueue(request);
            var forced = request.Message.AlterReplicateConfig?.Forced == true;
            return new ControlResponse(
                new BroadcastAck(lsn, lsn, Core.Time.TimeTicks.FromInstant(DateTimeOffset.UtcNow) + lsn),
                Term: 1,
                Duplicate: false,
                forced ? OpenTransactions.GetValueOrDefault(channel, []) : [],
                Checkpoints.GetValueOrDefault(channel));
        });
        return isNew ? response : response with { Duplicate = true };
    }
}

/// <summary>A node: a little Kestrel on a free port that plays the control endpoints, records every call, and fails where a test says so.</summary>
internal sealed partial class NodeDouble : IAsyncDisposable
{
    private readonly WebApplication _app;

    private NodeDouble(string nodeId, WebApplication app)
    {
        NodeId = nodeId;
        _app = app;
    }

    public string NodeId { get; }

    public Uri Endpoint { get; private set; } = null!;

    /// <summary>Every call, in the order of arrival.</summary>
    public ConcurrentQueue<NodeCall> Calls { get; } = new();

    /// <summary>The term each channel is open at here.</summary>
    public ConcurrentDictionary<string, long> Open { get; } = new(StringComparer.Ordinal);

    /// <summary>Who it says it is, where that is another than it was started as.</summary>
    public string? SaysItIs { get; set; }

    /// <summary>Answers a call in the node's stead; null lets it through.</summary>
    public Func<NodeCall, Task<ApiError?>> Intercept { get; set; } = _ => Task.FromResult<ApiError?>(null);

    /// <summary>Calls of <paramref name="verb"/>.</summary>
    public IReadOnlyList<NodeCall> Of(string verb) => [.. Calls.Where(c => c.Verb == verb)];

    public static async Task<NodeDouble> StartAsync(string nodeId, SharedLogs logs, string secret)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, e => e.Protocols = HttpProtocols.Http1));
        var app = builder.Build();
        var node = new NodeDouble(nodeId, app);
        app.Use(async (context, next) =>
        {
            if (context.Request.Headers.Authorization != $"Bearer {secret}")
            {
                await WriteAsync(context, new ApiError(ApiErrorCode.Unauthorized, "wrong secret"));
                return;
            }

            await next(context);
        });
        app.MapGet("/health", (HttpContext context) =>
            node.AnswerAsync(context, new NodeCall(nodeId, "health", string.Empty), () => new { status = "ok", nodeId = node.SaysItIs ?? nodeId, clusterId = ControlPlane.ClusterId }));
        app.MapPost("/channels/{channel}/open", async (HttpContext context, string channel) =>
        {
            var body = (await context.Request.ReadFromJsonAsync<OpenChannelRequest>(BatonJson.Options))!;
            await node.AnswerAsync(context, new NodeCall(nodeId, "open", channel, Open: body), () => node.OpenAt(channel, body.Term));
        });
        app.MapPost("/channels/open", async (HttpContext context) =>
        {
            var body = (await context.Request.ReadFromJsonAsync<OpenChannelsRequest>(BatonJson.Options))!;
            await node.AnswerAsync(context, new NodeCall(nodeId, "open-many", string.Empty, Many: body.Channels), () => node.OpenAt(body.Channels));
        });
        app.MapPost("/channels/{channel}/control", async (HttpContext context, string channel) =>
        {
            var body = (await context.Request.ReadFromJsonAsync<ControlRequest>(BatonJson.Options))!;
            await node.AnswerAsync(context, new NodeCall(nodeId, "control", channel, Control: body), () => logs.Append(channel, body));
        });
        app.MapGet("/channels/{channel}/status", (HttpContext context, string channel) =>
            node.AnswerAsync(context, new NodeCall(nodeId, "status", channel), () => node.Open.TryGetValue(channel, out var term)
                ? new ChannelStatus(channel, "leader", term, 0, 0, ClusterRole.Standalone, null, [], 0)
                : new ApiError(ApiErrorCode.NotLeader, "not open here")));
        node.MapRecovery(logs);
        await app.StartAsync();
        node.Endpoint = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return node;
    }

    /// <summary>The node is gone: its port refuses connections.</summary>
    public async Task KillAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Opens what it is to lead.</summary>
    public object OpenAt(string channel, long term)
    {
        var opened = Open.AddOrUpdate(channel, term, (_, old) => Math.Max(old, term)) == term;
        return opened ? new object() : new ApiError(ApiErrorCode.Conflict, "a later term is open");
    }

    private object OpenAt(IReadOnlyList<ChannelAtTerm> channels)
    {
        foreach (var (channel, term) in channels)
        {
            OpenAt(channel, term);
        }

        return new object();
    }

    private async Task AnswerAsync(HttpContext context, NodeCall call, Func<object> answer)
    {
        Calls.Enqueue(call);
        object result;
        try
        {
            result = await Intercept(call) ?? answer();
        }
        catch (LostConnectionException)
        {
            context.Abort();
            return;
        }

        if (result is ApiError error)
        {
            await WriteAsync(context, error);
            return;
        }

        await context.Response.WriteAsJsonAsync(result, result.GetType(), BatonJson.Options);
    }

    private static Task WriteAsync(HttpContext context, ApiError error)
    {
        context.Response.StatusCode = error.Code.Status();
        return context.Response.WriteAsJsonAsync(Problem.From(error), BatonJson.Options);
    }
}
