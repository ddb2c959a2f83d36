using System.Diagnostics;
using System.Text.Json;
using Azure;
using Azure.Core.Pipeline;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Settings;
using Baton.Functions.Tables;
using Baton.Functions.Topology;
using Baton.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Functions.Failover;

/// <summary>
/// Fails a made-up node over once when the app starts. The first run of planner, serializer and table client is compiled as it goes, which costs a good part of what a failover may take, and a
/// process that was started by an emergency would pay for it just then. It is beside the start, which does not wait for it, and touches nothing: what it calls storage and nodes is
/// <see cref="RehearsalStage"/>, in memory and of its own.
/// </summary>
internal sealed class Rehearsal(FailoverOptions options, PlacementOptions placement, TimeProvider time, ILogger<Rehearsal> logger) : BackgroundService
{
    private const int Channels = 12;
    private static readonly string[] NodeIds = ["rehearsal-1", "rehearsal-2", "rehearsal-3"];

    /// <summary>How long each made-up failover took, in order; empty until it is done.</summary>
    internal IReadOnlyList<TimeSpan> Took { get; private set; } = [];

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Leaves the start to others before anything else.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var first = await RunAsync(stoppingToken);
            var second = await RunAsync(stoppingToken);
            Took = [first.Elapsed, second.Elapsed];
            if (logger.IsEnabled(LogLevel.Debug))
            {
                logger.LogDebug("A made-up failover took {FirstMs} ms at first and {SecondMs} ms then", (long)first.Elapsed.TotalMilliseconds, (long)second.Elapsed.TotalMilliseconds);
            }
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            // Nothing depends on it: the first failover is slower, that is all.
            logger.LogWarning(e, "A failover could not be rehearsed");
        }
    }

    /// <summary>One failover of a made-up node, on a stage of its own.</summary>
    internal async Task<(FailoverPlan Plan, int Told, TimeSpan Elapsed)> RunAsync(CancellationToken cancellationToken)
    {
        var cluster = new ClusterOptions("rehearsal", "rehearsal");
        using var stage = new RehearsalStage();
        using var http = new HttpClient(stage, disposeHandler: false);
        using var nodes = new NodeClient(http, cluster, time);
        var storage = BatonStorage.Open(new StorageOptions { ConnectionString = RehearsalStage.Account }, configureTables: o => o.Transport = new HttpClientTransport(http));
        using var tables = new ControlPlaneTables(storage, NullLogger<ControlPlaneTables>.Instance);
        var states = new ClusterStateStore(tables, cluster);
        await states.WriteOnceAsync(new StoredClusterState(ClusterState.Empty(cluster.Id), default(ETag)), MadeUp(cluster.Id), cancellationToken);

        var began = Stopwatch.GetTimestamp();
        var report = JsonSerializer.SerializeToUtf8Bytes(new UrgentFailoverMessage("rehearsal", NodeIds[0], "rehearsal", time.GetUtcNow(), 1), BatonJson.Options);
        var message = QueueBody.Read<UrgentFailoverMessage>(report).Value!;
        var evidence = new FailureEvidence(message.NodeId, FailureEvidenceKind.Operator, message.Incarnation);
        var done = await new NodeFailover(states, options, placement, time, NullLogger<NodeFailover>.Instance).RunAsync(evidence, cancellationToken);
        await new OpenHints(nodes, options, NullLogger<OpenHints>.Instance).SendAsync(done.Plan.State, done.Plan.Moves, cancellationToken);
        _ = JsonSerializer.Serialize(new ReconcileRequest("rehearsal", "rehearsal", time.GetUtcNow(), new ReconcileScope(NodeId: NodeIds[0]), new FailoverReport("rehearsal", [new("Plan", 0)])), BatonJson.Options);
        return (done.Plan, stage.NodesTold, Stopwatch.GetElapsedTime(began));
    }

    private static ClusterState MadeUp(string clusterId) => new(
        clusterId,
        1,
        NodeIds.ToDictionary(n => n, n => new NodeState(new Uri($"http://{n}.invalid/"), 1), StringComparer.Ordinal),
        Enumerable.Range(0, Channels).ToDictionary(
            i => $"rehearsal-{i}",
            i => new ChannelState(NodeIds[0], 1, 3, [new ReplicaState(NodeIds[1], ReplicaMode.Sync, ReplicaProgress.InSync, 1), new ReplicaState(NodeIds[2], ReplicaMode.Sync, ReplicaProgress.InSync, 1)], i),
            StringComparer.Ordinal));
}
