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
/// <para>
/// Every call is a single short attempt: a storage that hangs must not hold up the sweeps that follow, of which one at a time runs.
/// </para>
/// <para>
/// Timers come once a second at best, which would make a silent host cost up to a second more than the timeout. So a sweep looks ahead: where a silence will have lasted long enough before the
/// next sweep, it waits for that moment, reads the heartbeats again and reports then.
/// </para>
/// </summary>
internal sealed class HeartbeatSweep(ClusterStateStore states, HeartbeatStore heartbeats, Listening listening, FailoverOptions options, TimeProvider time)
{
    /// <summary>Who its reports come from: the one observer whose word is never held back by a cooldown, besides operators.</summary>
    public const string Observer = "heartbeat-sweep";

    // The least time between two sweeps (HeartbeatSweepSchedule).
    private static readonly TimeSpan LookAhead = TimeSpan.FromSeconds(1);

    /// <summary>One sweep.</summary>
    [Function("HeartbeatSweep")]
    public async Task<HeartbeatSweepOutputs> RunAsync([TimerTrigger("%HeartbeatSweepSchedule%")] TimerInfo timer, CancellationToken cancellationToken)
    {
        var nextSweep = time.GetUtcNow() + LookAhead;
        var live = (await states.ReadOnceAsync(cancellationToken)).State.Nodes.Where(n => !n.Value.Failed && n.Value.RemovedAt is null).ToDictionary(StringComparer.Ordinal);
        for (var again = false; ; again = true)
        {
            var beats = await heartbeats.ReadAllOnceAsync(cancellationToken);
            listening.Swept(again);
            var now = time.GetUtcNow();
            var silences = SilencesOf(live.Keys, beats);
            var silent = silences.TakeWhile(s => s.TooLongAt <= now).ToList();
            var next = silences.Skip(silent.Count).Select(s => (DateTimeOffset?)s.TooLongAt).FirstOrDefault();
            if (next is not { } moment || moment >= nextSweep || IsToReportNow(silent, moment, nextSweep))
            {
                return new HeartbeatSweepOutputs(silent.Count == 0 ? null : [.. silent.Select(s => Report(s, live[s.NodeId], now))]);
            }

            // A timer of milliseconds may fire before the moment.
            await Task.Delay(moment - now + TimeSpan.FromMilliseconds(1), time, cancellationToken);
        }
    }

    // Joining writes the first beat before the node is in the state, so every node of the state has one.
    private List<Silence> SilencesOf(IEnumerable<string> nodeIds, IReadOnlyDictionary<string, DateTimeOffset> beats)
    {
        return [.. nodeIds
            .Where(beats.ContainsKey)
            .Select(n => new Silence(n, beats[n], listening.SilentSince(n, beats[n]) + options.HeartbeatTimeout))
            .OrderBy(s => s.TooLongAt)];
    }

    // All reports of a sweep go out at its end. Waiting for one more node delays the first; not waiting delays that one until the next sweep: the lesser delay is taken.
    private static bool IsToReportNow(List<Silence> silent, DateTimeOffset next, DateTimeOffset nextSweep) => silent.Count > 0 && next - silent[0].TooLongAt > nextSweep - next;

    private static string Report(Silence silence, NodeState node, DateTimeOffset now)
    {
        var eventId = string.Create(CultureInfo.InvariantCulture, $"silent-{node.Incarnation}-{silence.LastHeard.ToUnixTimeMilliseconds()}");
        var reason = string.Create(CultureInfo.InvariantCulture, $"no heartbeat for {(long)(now - silence.LastHeard).TotalMilliseconds} ms");
        return JsonSerializer.Serialize(new UrgentFailoverMessage(eventId, silence.NodeId, reason, now, node.Incarnation, Observer), BatonJson.Options);
    }

    private sealed record Silence(string NodeId, DateTimeOffset LastHeard, DateTimeOffset TooLongAt);
}
