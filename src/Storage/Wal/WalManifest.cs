using System.Globalization;
using System.Text.Json.Serialization;

namespace Baton.Storage.Wal;

/// <summary>What counts as a channel's log: the one entity that every change of writer goes through.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Term">Term of the last opener; only a higher one may open.</param>
/// <param name="Owner">Who that was, for people to read.</param>
/// <param name="OpenId">Which opening that was: tells an opener whose answer was lost that the entity is its own.</param>
/// <param name="Segments">The segments in order of their LSNs. All but the last are sealed.</param>
public sealed record WalManifest(string Channel, long Term, string Owner, string OpenId, IReadOnlyList<WalSegment> Segments)
{
    /// <summary>The segment that is not sealed yet, if there is one.</summary>
    [JsonIgnore]
    public WalSegment? Tail => Segments is [.., { Sealed: false } last] ? last : null;

    /// <summary>LSN after the last sealed segment: where the tail begins.</summary>
    [JsonIgnore]
    public long FirstLsnAfterSealed => Segments.LastOrDefault(s => s.Sealed)?.LastLsn + 1 ?? 1;
}

/// <summary>One blob of a channel's log.</summary>
/// <param name="Term">Term of its writer.</param>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last record, once sealed.</param>
/// <param name="LengthBytes">Its length, once sealed.</param>
public sealed record WalSegment(long Term, long FirstLsn, long? LastLsn = null, long? LengthBytes = null)
{
    /// <summary>It can grow no more, and its end is written here.</summary>
    [JsonIgnore]
    public bool Sealed => LastLsn is not null;

    /// <summary>Name of its blob: the term first, so that a list shows who wrote last.</summary>
    public string BlobName(string channel) => string.Create(CultureInfo.InvariantCulture, $"{channel}/{Term:D10}-{FirstLsn:D20}.seg");
}

/// <summary>A record read from the log.</summary>
/// <param name="Lsn">Its position.</param>
/// <param name="Term">Term of the writer that appended it.</param>
/// <param name="Record">The record.</param>
public readonly record struct WalEntry(long Lsn, long Term, Core.Wal.WalRecord Record);
