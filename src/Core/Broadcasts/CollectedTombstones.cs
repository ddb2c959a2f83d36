using Baton.Core.Replication;

namespace Baton.Core.Broadcasts;

/// <summary>
/// What is remembered of all tombstones that are gone: enough to know an old ack of theirs again. A node that opens a channel reports every replicated broadcast of its log once more; without
/// this, such a report would begin a task that the other channels, whose logs are shorter, never complete.
/// </summary>
/// <param name="HighestId">The highest id among them; 0 before the first.</param>
/// <param name="TimeTicks">By channel, the highest time tick of their acks there.</param>
public sealed record CollectedTombstones(long HighestId, IReadOnlyDictionary<string, long> TimeTicks)
{
    /// <summary>Nothing is gone yet.</summary>
    public static CollectedTombstones None { get; } = new(0, new Dictionary<string, long>(StringComparer.Ordinal));

    /// <summary>With <paramref name="tasks"/> gone too.</summary>
    public CollectedTombstones With(IEnumerable<BroadcastTask> tasks)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        var highest = HighestId;
        var ticks = new Dictionary<string, long>(TimeTicks, StringComparer.Ordinal);
        foreach (var task in tasks)
        {
            highest = Math.Max(highest, task.BroadcastId);
            foreach (var (vchannel, ack) in task.Acks)
            {
                var channel = VChannels.ChannelOf(vchannel);
                ticks[channel] = Math.Max(ticks.GetValueOrDefault(channel), ack.TimeTick);
            }
        }

        return new CollectedTombstones(highest, ticks);
    }

    /// <summary>
    /// Whether an ack of a broadcast that is not known is taken for one of theirs. Exact for theirs: their acks are at or below what is remembered. A record that has
    /// just come has a later tick than any before it on its channel, whatever its id.
    /// </summary>
    public bool Covers(long broadcastId, string vchannel, BroadcastAck ack)
    {
        ArgumentNullException.ThrowIfNull(ack);
        return broadcastId <= HighestId && ack.TimeTick <= TimeTicks.GetValueOrDefault(VChannels.ChannelOf(vchannel));
    }
}

/// <summary>When a tombstone goes.</summary>
public static class TombstoneRule
{
    /// <summary>Ended tasks that go now, oldest first.</summary>
    /// <param name="ended">Tasks with the time at which each ended.</param>
    /// <param name="maxAge">Older ones go.</param>
    /// <param name="maxCount">More than so many do not stay, as far as they have the least age.</param>
    /// <param name="leastAge">Younger ones stay in any case: an ack that is on its way finds them.</param>
    /// <param name="now">Now.</param>
    public static IEnumerable<long> Collect(IReadOnlyCollection<(long BroadcastId, DateTimeOffset EndedAt)> ended, TimeSpan maxAge, int maxCount, TimeSpan leastAge, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(ended);
        var surplus = ended.Count - maxCount;
        return ended
            .OrderBy(e => e.EndedAt).ThenBy(e => e.BroadcastId)
            .Where((e, i) => now - e.EndedAt >= leastAge && (i < surplus || now - e.EndedAt >= maxAge))
            .Select(e => e.BroadcastId);
    }
}
