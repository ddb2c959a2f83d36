using System.Collections.Immutable;

namespace Baton.Core.Metadata;

/// <summary>A topic.</summary>
/// <param name="Name">Its name.</param>
/// <param name="TopicId">LSN of its CreateTopic.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="Generation">1 for the first topic of the name, raised at each one after it, so that no channel's name comes twice.</param>
/// <param name="PartitionCount">How many partitions it has.</param>
/// <param name="ReplicationFactor">Copies of each, the leader's included.</param>
/// <param name="Config">Its settings.</param>
/// <param name="Partitions">Those that have a place.</param>
public sealed record TopicState(
    string Name,
    long TopicId,
    DateTimeOffset CreatedAt,
    long Generation,
    int PartitionCount,
    int ReplicationFactor,
    ImmutableSortedDictionary<string, string> Config,
    ImmutableSortedDictionary<int, PartitionState> Partitions)
{
    /// <summary>The partitions that have no place yet.</summary>
    public IEnumerable<int> Unassigned => Partitions.Count == PartitionCount ? [] : Enumerable.Range(0, PartitionCount).Where(p => !Partitions.ContainsKey(p));

    /// <summary>The channel of <paramref name="partition"/>, whether it is there yet or not.</summary>
    public string ChannelOf(int partition) => Partitions.TryGetValue(partition, out var state) ? state.Channel : PartitionChannels.NameOf(Name, partition, Generation);
}

/// <summary>A partition that has a place.</summary>
/// <param name="Channel">Its channel.</param>
/// <param name="Leader">Its leader; null while it is offline.</param>
/// <param name="Term">Of that leadership; never goes back.</param>
/// <param name="Replicas">The nodes that keep a copy, the leader included.</param>
/// <param name="Isr">Those in sync.</param>
/// <param name="HighWatermark">Last LSN that can be read; never falls.</param>
public sealed record PartitionState(string Channel, string? Leader, long Term, ImmutableArray<string> Replicas, ImmutableArray<string> Isr, long HighWatermark);
