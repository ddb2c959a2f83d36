using System.Collections.Concurrent;
using System.Net;
using Baton.Core.Api;
using Baton.Core.Replication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Node.Tests.Harness;

/// <summary>A control plane whose answers the test writes: it gives out what it is told to assign, and remembers what it was told.</summary>
internal sealed partial class ScriptedControlPlane : IAsyncDisposable
{
    public const string Key = "function-key-of-the-test";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Assignment[]> _assignments = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _incarnations = new(StringComparer.Ordinal);

    private ScriptedControlPlane(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>Acks taken, in the order they came.</summary>
    public ConcurrentQueue<(long BroadcastId, BroadcastAckRequest Request)> Acks { get; } = new();

    /// <summary>Joins taken.</summary>
    public ConcurrentQueue<(string NodeId, JoinNodeRequest Request)> Joins { get; } = new();

    /// <summary>The last heartbeat of each node.</summary>
    public ConcurrentDictionary<string, HeartbeatRequest> Heartbeats { get; } = new(StringComparer.Ordinal);

    /// <summary>Heartbeats answered, in the order they came, those of leaving nodes not among them.</summary>
    public ConcurrentQueue<(string NodeId, HeartbeatRequest Beat)> Beats { get; } = new();

    /// <summary>Heartbeats of nodes that said that they leave.</summary>
    public ConcurrentQueue<(string NodeId, HeartbeatRequest Beat)> Leavings { get; } = new();

    /// <summary>What a leaving node hears is taken over.</summary>
    public string[] TakenOver { get; set; } = [];

    /// <summary>Joins and heartbeats that were answered 503.</summary>
    public int Refused;

    /// <summary>Reports of nodes that something failed, in the order they came; those that were answered 503 among them.</summary>
    public ConcurrentQueue<(string NodeId, NodeFailedRequest Report)> Failures { get; } = new();

    /// <summary>While false, such reports are answered 503.</summary>
    public bool TakesFailures { get; set; } = true;

    /// <summary>While true, joins are answered 409 and heartbeats with the word that the node was removed.</summary>
    public bool Removed { get; set; }

    /// <summary>While true, joins alone are answered 409.</summary>
    public bool RefusesJoins { get; set; }

    /// <summary>While there is one, joins are answered with this status and no body, as by something that stands before the control plane.</summary>
    public int? InBetween { get; set; }

    /// <summary>What <c>GET /api/route</c> answers.</summary>
    public RouteView Route { get; set; } = new(1, new Dictionary<string, RouteEntry>(StringComparer.Ordinal));

    /// <summary>How the cluster replicates, as joins and heartbeats tell it from now on.</summary>
    public ReplicateStanding? Replication { get; set; }

    /// <summary>While false, acks are answered 503.</summary>
    public bool TakesAcks { get; set; } = true;

    /// <summary>Acks that were answered 503.</summary>
    public int AcksRefused;

    /// <summary>While false, joins are answered 503.</summary>
    public bool TakesJoins { get; set; } = true;

    /// <summary>While there is one, joins and heartbeats are answered with this JSON, as a success.</summary>
    public string? Nonsense { get; set; }

    /// <summary>Joins and heartbeats that were answered with nonsense.</summary>
    public int Misled;

    /// <summary>While false, joins and heartbeats are answered 503.</summary>
    public bool TakesHeartbeats { get; set; } = true;

    public static async Task<ScriptedControlPlane> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var plane = new ScriptedControlPlane(app);
        plane.Map(app);
        await app.StartAsync();
        return plane;
    }

    /// <summary>Sets what a node should own, from its next heartbeat on.</summary>
    public void Assign(string nodeId, params Assignment[] assignments) => _assignments[nodeId] = assignments;

    /// <summary>Makes the next heartbeat of a node hear that it must join again.</summary>
    public void Forget(string nodeId) => _incarnations[nodeId] = -1;

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private void Map(WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (IsForOtherClusters(context.Request))
            {
                return next(context);
            }

            if (context.Request.Headers["x-functions-key"] != Key || (context.Request.Method != "GET" && context.Request.ContentLength is null))
            {
                context.Response.StatusCode = 401;
                return Task.CompletedTask;
            }

            if (Nonsense is { } nonsense && context.Request.Path.StartsWithSegments("/api/nodes", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref Misled);
                context.Response.ContentType = "application/json";
                return context.Response.WriteAsync(nonsense);
            }

            return next(context);
        });
        app.MapPut("/api/nodes/{id}", async (string id, HttpContext context) =>
        {
            if (!TakesHeartbeats || !TakesJoins)
            {
                Interlocked.Increment(ref Refused);
                return Results.StatusCode(503);
            }

            if (Removed || RefusesJoins)
            {
                var problem = Problem.From(ApiError.Conflict($"Node '{id}' was removed from the cluster."));
                return Results.Json(problem, BatonJson.Options, Problem.MediaType, problem.Status);
            }

            if (InBetween is { } status)
            {
                Interlocked.Increment(ref Refused);
                return Results.StatusCode(status);
            }

            var join = (await context.Request.ReadFromJsonAsync<JoinNodeRequest>(BatonJson.Options))!;
            Joins.Enqueue((id, join));
            var incarnation = Joins.Count(j => j.NodeId == id);
            _incarnations[id] = incarnation;
            return Results.Json(new JoinNodeResponse(id, incarnation, _assignments.GetValueOrDefault(id, []), Replication), BatonJson.Options);
        });
        app.MapPost("/api/nodes/{id}/heartbeat", async (string id, HttpContext context) =>
        {
            if (!TakesHeartbeats)
            {
                Interlocked.Increment(ref Refused);
                return Results.StatusCode(503);
            }

            var beat = (await context.Request.ReadFromJsonAsync<HeartbeatRequest>(BatonJson.Options))!;
            if (beat.Leaving)
            {
                Leavings.Enqueue((id, beat));
                return Results.Json(new HeartbeatResponse([]) { TakenOver = Removed ? null : TakenOver, Removed = Removed }, BatonJson.Options);
            }

            var mustRejoin = _incarnations.GetValueOrDefault(id) != beat.Incarnation;
            Heartbeats[id] = beat;
            Beats.Enqueue((id, beat));
            return Results.Json(new HeartbeatResponse(_assignments.GetValueOrDefault(id, []), mustRejoin) { Replication = mustRejoin ? null : Replication, Removed = Removed }, BatonJson.Options);
        });
        app.MapPost("/api/nodes/{id}/failed", async (string id, HttpContext context) =>
        {
            Failures.Enqueue((id, (await context.Request.ReadFromJsonAsync<NodeFailedRequest>(BatonJson.Options))!));
            return Results.StatusCode(TakesFailures ? 202 : 503);
        });
        app.MapPost("/api/broadcasts/{id:long}/acks", async (long id, HttpContext context) =>
        {
            var ack = (await context.Request.ReadFromJsonAsync<BroadcastAckRequest>(BatonJson.Options))!;
            if (!TakesAcks)
            {
                Interlocked.Increment(ref AcksRefused);
                return Results.StatusCode(503);
            }

            Acks.Enqueue((id, ack));
            return Results.Ok();
        });
        app.MapGet("/api/route", () => Results.Json(Route, BatonJson.Options));
        MapCdc(app);
    }
}
