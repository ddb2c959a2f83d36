using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Baton.Core.Metadata;

/// <summary>A consumer group.</summary>
/// <param name="GroupId">Its id.</param>
/// <param name="Protocol">How its members share partitions, in their words.</param>
/// <param name="State">Where they are in sharing them.</param>
/// <param name="Generation">Of the sharing; never goes back.</param>
/// <param name="Leader">The member that shares, if there is one.</param>
/// <param name="Members">The members.</param>
public sealed record ConsumerGroup(string GroupId, string? Protocol, GroupState State, long Generation, string? Leader, ImmutableArray<GroupMember> Members)
{
    /// <summary>Where it goes on, by topic and partition. No topic is there without a partition.</summary>
    public ImmutableSortedDictionary<string, ImmutableSortedDictionary<int, GroupOffset>> Offsets { get; init; } =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<int, GroupOffset>>(StringComparer.Ordinal);

    /// <summary>How many offsets it has.</summary>
    public int OffsetCount { get; init; }

    /// <summary>Its offset on <paramref name="partition"/> of <paramref name="topic"/>, or null.</summary>
    public GroupOffset? OffsetOf(string topic, int partition) => Offsets.TryGetValue(topic, out var partitions) ? partitions.GetValueOrDefault(partition) : null;

    /// <summary>With this offset.</summary>
    internal ConsumerGroup With(string topic, int partition, GroupOffset offset)
    {
        var partitions = Offsets.GetValueOrDefault(topic) ?? ImmutableSortedDictionary<int, GroupOffset>.Empty;
        return this with { Offsets = Offsets.SetItem(topic, partitions.SetItem(partition, offset)), OffsetCount = OffsetCount + (partitions.ContainsKey(partition) ? 0 : 1) };
    }

    /// <summary>Without the offsets on <paramref name="topic"/>.</summary>
    internal ConsumerGroup Without(string topic) =>
        Offsets.TryGetValue(topic, out var partitions) ? this with { Offsets = Offsets.Remove(topic), OffsetCount = OffsetCount - partitions.Count } : this;
}

/// <summary>Where a group goes on reading a partition.</summary>
/// <param name="Offset">The next LSN to read, or 0.</param>
/// <param name="Note">Free text of the consumer.</param>
/// <param name="At">When it was committed.</param>
public sealed record GroupOffset(long Offset, string? Note, DateTimeOffset At);

/// <summary>A member of a consumer group.</summary>
/// <param name="MemberId">Its id, within the group.</param>
/// <param name="ClientId">What its process calls itself.</param>
/// <param name="Topics">What it wants to read.</param>
/// <param name="Assignment">What it was given to read, in the group's own words.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record GroupMember([property: JsonRequired] string MemberId, string? ClientId = null, IReadOnlyList<string>? Topics = null, string? Assignment = null);

/// <summary>Where a group's members are in sharing partitions.</summary>
public enum GroupState
{
    /// <summary>No members.</summary>
    Empty,

    /// <summary>Members come and go; the next sharing is about to begin.</summary>
    PreparingRebalance,

    /// <summary>The members are known, and their leader shares.</summary>
    CompletingRebalance,

    /// <summary>Shared.</summary>
    Stable,
}
