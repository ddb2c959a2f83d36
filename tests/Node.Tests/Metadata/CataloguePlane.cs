using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Node.Tests.Harness;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Node.Tests.Metadata;

/// <summary>A control plane that decides by the real rules on a state in memory: who joins, who leads, where channels of topics go.</summary>
internal sealed class CataloguePlane : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private ClusterState _state = ClusterState.Empty(TestNode.ClusterId);

    private CataloguePlane(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>While false, channels of topics are refused with 503.</summary>
    public volatile bool TakesTopics = true;

    /// <summary>While true, clusters replicate.</summary>
    public volatile bool Replicates;

    /// <summary>Requests for channels of topics.</summary>
    public int TopicRequests;

    public ClusterState State
    {
        get
        {
            lock (_gate)
            {
                return _state;
            }
        }
    }

    public LeaderPolicy Policy { get; init; } = LeaderPolicy.PreferCoordinator;

    public static async Task<CataloguePlane> StartAsync(LeaderPolicy policy = LeaderPolicy.PreferCoordinator)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var plane = new CataloguePlane(app) { Policy = policy };
        plane.Map(app);
        await app.StartAsync();
        return plane;
    }

    /// <summary>Changes the state by a rule.</summary>
    public void Change(Func<ClusterState, ClusterState> rule)
    {
        lock (_gate)
        {
            _state = rule(_state);
        }
    }

    /// <summary>A node is gone, and others lead what it led.</summary>
    public void Fail(string nodeId) => Change(s => FailoverPlanner.Plan(s, new FailureEvidence(nodeId, FailureEvidenceKind.Operator), TimeSpan.Zero, DateTimeOffset.UnixEpoch, Policy).State);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private void Map(WebApplication app)
    {
        app.MapPut("/api/nodes/{id}", async (string id, HttpContext context) =>
        {
            var join = (await context.Request.ReadFromJsonAsync<JoinNodeRequest>(BatonJson.Options))!;
            Change(s => PartitionInitializer.InitializeMetadata(ClusterMembership.Join(s, id, join.Endpoint, join.Zone, join.Capacity, join.Instance, Policy).State, Policy).State);
            var state = State;
            return Results.Json(new JoinNodeResponse(id, state.Nodes[id].Incarnation, Assignments.For(state, id), Standing) { Metadata = MetadataChannel.LeaderIn(state) }, BatonJson.Options);
        });
        app.MapPost("/api/nodes/{id}/heartbeat", async (string id, HttpContext context) =>
        {
            var beat = (await context.Request.ReadFromJsonAsync<HeartbeatRequest>(BatonJson.Options))!;
            if (beat.Leaving)
            {
                Fail(id);
                return Results.Json(Assignments.AnswerLeaving(State, id, beat), BatonJson.Options);
            }

            var state = State;
            return Results.Json(Assignments.Answer(state, id, beat.Incarnation) with { Replication = Standing, Metadata = MetadataChannel.LeaderIn(state) }, BatonJson.Options);
        });
        app.MapPost("/api/nodes/{id}/failed", () => Results.StatusCode(202));
        app.MapGet("/api/route", () => Results.Json(RouteOf(State), BatonJson.Options));
        app.MapGet("/api/topology", async (long since, int waitMs) =>
        {
            for (var waited = 0; State.Version <= since; waited += 20)
            {
                if (waited >= waitMs)
                {
                    return Results.StatusCode(304);
                }

                await Task.Delay(20);
            }

            return Results.Json(TopologyOf(State), BatonJson.Options);
        });
        app.MapPost("/api/topics/channels", async (HttpContext context) =>
        {
            Interlocked.Increment(ref TopicRequests);
            var request = (await context.Request.ReadFromJsonAsync<CreateTopicChannelsRequest>(BatonJson.Options))!;
            if (!TakesTopics)
            {
                return Results.StatusCode(503);
            }

            TopicChannelsResult result = null!;
            Change(s => (result = TopicChannels.Create(s, request, Policy)).State);
            return result.Error is { } error
                ? Results.Json(Problem.From(error), BatonJson.Options, Problem.MediaType, error.Code.Status())
                : Results.Json(new TopicChannelsResponse(result.State.Version, [.. request.Channels.Select(c => View(c.Name, result.State.Channels[c.Name]))]), BatonJson.Options);
        });
        app.MapDelete("/api/topics/channels", async (HttpContext context) =>
        {
            var request = (await context.Request.ReadFromJsonAsync<DeleteTopicChannelsRequest>(BatonJson.Options))!;
            TopicChannelsResult result = null!;
            Change(s => (result = TopicChannels.Delete(s, request, new HashSet<string>(StringComparer.Ordinal))).State);
            return result.Error is { } error
                ? Results.Json(Problem.From(error), BatonJson.Options, Problem.MediaType, error.Code.Status())
                : Results.Json(new DeletedTopicChannels(result.State.Version, result.Changed), BatonJson.Options);
        });
        app.MapGet("/api/cdc-tasks", () => Results.Json(new CdcTasksView(1, []), BatonJson.Options));
    }

    private ReplicateStanding Standing => new(0, Replicates);

    private static RouteView RouteOf(ClusterState state) => new(
        state.Version,
        state.Channels.Where(c => c.Value.Leader is not null).ToDictionary(
            c => c.Key, c => new RouteEntry(state.Nodes[c.Value.Leader!].Endpoint, c.Value.Leader!, c.Value.Term, state.Nodes[c.Value.Leader!].Incarnation), StringComparer.Ordinal),
        [.. state.Channels.Where(c => c.Value.Leader is null).Select(c => c.Key)]);

    private static TopologyView TopologyOf(ClusterState state) => new(
        state.ClusterId,
        state.Version,
        ClusterRole.Standalone,
        [.. state.Nodes.Where(n => n.Value.RemovedAt is null).Select(n => new NodeView(n.Key, n.Value.Endpoint, n.Value.Incarnation, n.Value.Failed, n.Value.Zone, n.Value.Capacity, null, n.Value.Draining))],
        [.. state.Channels.Select(c => View(c.Key, c.Value))]);

    private static ChannelView View(string name, ChannelState channel) => new(
        name,
        channel.Leader,
        channel.Term,
        [.. channel.Replicas.Select(r => new ReplicaView(r.NodeId, r.Mode, r.State, r.FlushedLsn))],
        channel.Offline ? ChannelAvailability.Offline : ChannelAvailability.Online,
        channel.TopicId);
}
