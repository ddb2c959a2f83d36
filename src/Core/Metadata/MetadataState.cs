using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Baton.Core.Metadata;

/// <summary>
/// The catalogue as of one LSN. Every node makes it from the same log, so it depends on nothing else: the same records give the same state, by whichever snapshots and repeats.
/// Nothing in it changes; a reader keeps what it has taken.
/// </summary>
public sealed partial record MetadataState
{
    private static readonly ImmutableSortedDictionary<string, string> NoConfig = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
    private static readonly ImmutableSortedSet<string> NoNames = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);

    private MetadataState()
    {
    }

    /// <summary>The catalogue before its first record.</summary>
    public static MetadataState Empty { get; } = new();

    /// <summary>LSN of the last record taken in; 0 before the first.</summary>
    public long LastLsn { get; internal init; }

    /// <summary>The topics, by name.</summary>
    public ImmutableSortedDictionary<string, TopicState> Topics { get; internal init; } = ImmutableSortedDictionary.Create<string, TopicState>(StringComparer.Ordinal);

    /// <summary>The nodes, by id.</summary>
    public ImmutableSortedDictionary<string, MetadataNode> Nodes { get; internal init; } = ImmutableSortedDictionary.Create<string, MetadataNode>(StringComparer.Ordinal);

    /// <summary>The consumer groups, by id.</summary>
    public ImmutableSortedDictionary<string, ConsumerGroup> Groups { get; internal init; } = ImmutableSortedDictionary.Create<string, ConsumerGroup>(StringComparer.Ordinal);

    /// <summary>Deleted topics whose name has no topic now, by name: at most <see cref="MetadataLimits.MaxRememberedNames"/>, those deleted last.</summary>
    public ImmutableSortedDictionary<string, DeletedTopic> Deleted { get; internal init; } = ImmutableSortedDictionary.Create<string, DeletedTopic>(StringComparer.Ordinal);

    /// <summary>No deleted topic that is not remembered had a generation above this one.</summary>
    public long GenerationFloor { get; internal init; }

    /// <summary>Names of the topics that have partitions without a place.</summary>
    public ImmutableSortedSet<string> UnassignedTopics { get; internal init; } = NoNames;

    /// <summary>Partitions of all topics.</summary>
    public int PartitionCount { get; internal init; }

    /// <summary>Offsets of all groups.</summary>
    public int OffsetCount { get; internal init; }

    /// <summary>The names of <see cref="Deleted"/> by the LSN of the deletion: the first is forgotten first.</summary>
    internal ImmutableSortedDictionary<long, string> DeletedOrder { get; init; } = ImmutableSortedDictionary<long, string>.Empty;

    /// <summary>The groups that have offsets on a topic, by the topic's name.</summary>
    internal ImmutableSortedDictionary<string, ImmutableSortedSet<string>> GroupsOfTopic { get; init; } =
        ImmutableSortedDictionary.Create<string, ImmutableSortedSet<string>>(StringComparer.Ordinal);

    /// <summary>The topics that have partitions without a place, by name.</summary>
    public IEnumerable<TopicState> Unassigned => UnassignedTopics.Select(n => Topics[n]);

    /// <summary>The generation of the next topic called <paramref name="name"/>, which has none now.</summary>
    public long NextGeneration(string name) => (Deleted.TryGetValue(name, out var deleted) ? deleted.Generation : GenerationFloor) + 1;

    /// <summary>
    /// The state with the record at <paramref name="lsn"/>, which has <paramref name="command"/>. A record that is in it already gives the same object; a command that does not apply any more moves the LSN only.
    /// </summary>
    /// <param name="lsn">LSN of the record.</param>
    /// <param name="at">Time of the record, from the record: the same at every replay.</param>
    /// <param name="command">The command.</param>
    /// <exception cref="InvalidOperationException">Records between <see cref="LastLsn"/> and <paramref name="lsn"/> are missing: read them first.</exception>
    public MetadataState Apply(long lsn, DateTimeOffset at, MetadataCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        if (!IsNext(lsn))
        {
            return this;
        }

        var next = MetadataFit.Problem(this, command) is null ? Changed(lsn, at.ToUniversalTime(), command) : this;
        return next with { LastLsn = lsn };
    }

    /// <summary>The state with the record at <paramref name="lsn"/>, which has no command: a time tick, for instance.</summary>
    /// <exception cref="InvalidOperationException">As <see cref="Apply"/>.</exception>
    public MetadataState Skip(long lsn) => IsNext(lsn) ? this with { LastLsn = lsn } : this;

    /// <summary>SHA-256, in hexadecimal, of all that commands can change, <see cref="LastLsn"/> included. Nodes whose snapshots have one version compare by it.</summary>
    public string Hash() => Convert.ToHexStringLower(SHA256.HashData(MetadataSnapshot.Encode(this)));

    /// <summary>Whether it is the same catalogue, as of the same LSN.</summary>
    public bool Equals(MetadataState? other) =>
        ReferenceEquals(this, other) || (other is not null && LastLsn == other.LastLsn && MetadataSnapshot.Encode(this).AsSpan().SequenceEqual(MetadataSnapshot.Encode(other)));

    /// <inheritdoc/>
    public override int GetHashCode() => LastLsn.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => $"catalogue at LSN {LastLsn}: {Topics.Count} topics, {Nodes.Count} nodes, {Groups.Count} groups";

    private bool IsNext(long lsn) => lsn <= LastLsn + 1
        ? lsn == LastLsn + 1
        : throw new InvalidOperationException($"The record at LSN {lsn} cannot be applied to the catalogue of LSN {LastLsn}: the records between them are missing.");
}

/// <summary>A deleted topic.</summary>
/// <param name="Generation">The generation that it had.</param>
/// <param name="Lsn">LSN of its deletion.</param>
public sealed record DeletedTopic(long Generation, long Lsn);
