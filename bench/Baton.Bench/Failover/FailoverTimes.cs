using Baton.DevHost.Clusters;

namespace Baton.Bench.Failover;

/// <summary>The moments of one failover, from the control plane's own account of it (UTC, to a millisecond).</summary>
/// <param name="ObservedAt">The report that led to it was taken.</param>
/// <param name="StartedAt">Its handler began.</param>
/// <param name="WrittenAt">The new state was written.</param>
/// <param name="Summary">What happened, for operators.</param>
internal sealed record FailoverTimes(DateTimeOffset ObservedAt, DateTimeOffset StartedAt, DateTimeOffset WrittenAt, string Summary)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>The first failover of a node since a moment, once it is on the timeline: the routine message puts it there, behind all others that wait.</summary>
    public static async Task<FailoverTimes> OfAsync(ClusterClient client, string nodeId, DateTimeOffset since, CancellationToken cancellationToken)
    {
        TimelineView? found = null;
        await ClusterClient.UntilAsync(
            $"the failover of {nodeId} is on the timeline",
            async () => (found = (await client.TimelineAsync(1_000, cancellationToken)).LastOrDefault(e => e.Kind == "failover" && e.At >= since && e.Summary.StartsWith($"Node {nodeId} ", StringComparison.Ordinal))) is not null,
            Patience,
            cancellationToken);
        return Of(found!);
    }

    private static FailoverTimes Of(TimelineView entry)
    {
        double Ms(string step) => entry.Steps?.FirstOrDefault(s => s.Name == step)?.ElapsedMs ?? 0;
        var written = entry.At.AddMilliseconds(-Ms("Open"));
        var started = written.AddMilliseconds(-Ms("Wait") - Ms("Read") - Ms("Plan") - Ms("Write"));
        return new FailoverTimes(started.AddMilliseconds(-Ms("Queue")), started, written, entry.Summary);
    }
}
