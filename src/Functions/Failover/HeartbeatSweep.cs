using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Topology;

namespace Baton.Functions.Failover;

/// <summary>The reports of a sweep.</summary>
/// <param name="Reports">One message on the urgent queue per silent node.</param>
internal sealed record HeartbeatSweepOutputs(
    [property: ServiceBusOutput(FailoverQueues.Urgent, Connection = FailoverQueues.Connection)] IReadOnlyList<string>? Reports);

/// <summary>
/// Reports nodes that have gone silent. Decides nothing and calls no node. A sweep that is late, or runs twice, sends the same reports again:
/// a report names the incarnation that went silent, and one about a node that is failed already changes nothing.
/// </summary>
internal sealed class HeartbeatSweep(ClusterStateStore states, HeartbeatStore heartbeats, Listening listening, FailoverOptions options, TimeProvider time)
{
    /// <summary>Who its reports come from: the one observer whose word is never held back by a cooldown, besides operators.</summary>
    public const string Observer = "heartbeat-sweep";

    /// <summary>One sweep.</summary>
    [Function("HeartbeatSweep")]
    public async Task<HeartbeatSweepOutputs> RunAsync([TimerTrigger("%HeartbeatSweepSchedule%")] TimerInfo timer, CancellationToken cancellationToken)
    {
        var state = (await states.ReadAsync(cancellationToken)).State;
        if (state.Nodes.Values.All(n => n.Failed))
        {
            return new HeartbeatSweepOutputs(null);
        }

        var beats = await heartbeats.ReadAllAsync(cancellationToken);
        var now = time.GetUtcNow();
        var reports = state.Nodes
            .Where(n => !n.Value.Failed)
            .Select(n => Report(n.Key, n.Value, beats.TryGetValue(n.Key, out var at) ? at : null, now))
            .OfType<UrgentFailoverMessage>()
            .Select(m => JsonSerializer.Serialize(m, BatonJson.Options))
            .ToList();
        return new HeartbeatSweepOutputs(reports.Count == 0 ? null : reports);
    }

    // Joining writes the first beat before the node is in the state, so every node of the state has one.
    private UrgentFailoverMessage? Report(string nodeId, NodeState node, DateTimeOffset? lastHeard, DateTimeOffset now)
    {
        if (lastHeard is not { } at || now - at < options.HeartbeatTimeout || now - listening.Since < options.HeartbeatTimeout)
        {
            return null;
        }

        var eventId = string.Create(CultureInfo.InvariantCulture, $"silent-{node.Incarnation}-{at.ToUnixTimeMilliseconds()}");
        var reason = string.Create(CultureInfo.InvariantCulture, $"no heartbeat for {(long)(now - at).TotalMilliseconds} ms");
        return new UrgentFailoverMessage(eventId, nodeId, reason, now, node.Incarnation, Observer);
    }
}

/// <summary>
/// Since when this process has been there to hear heartbeats: its first sweep. While no control plane was there, every node was silent to it; silence counts
/// only from when it could have been broken.
/// </summary>
internal sealed class Listening(TimeProvider time)
{
    /// <summary>UTC.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();
}
