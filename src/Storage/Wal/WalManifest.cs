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
    /// <summary>Rises with every change: of two copies, the one with the higher revision is the newer.</summary>
    public long Revision { get; init; }

    /// <summary>The first LSN that is retained; those below it are gone for good.</summary>
    public long FirstLsn { get; init; } = 1;

    /// <summary>The snapshots kept, oldest first; the last is the current one.</summary>
    public IReadOnlyList<WalSnapshotEntry> Snapshots { get; init; } = [];

    /// <summary>What readers have asked to be kept for them.</summary>
    public IReadOnlyList<WalPin> Pins { get; init; } = [];

    /// <summary>The segment that is not sealed yet, if there is one.</summary>
    [JsonIgnore]
    public WalSegment? Tail => Segments is [.., { Sealed: false } last] ? last : null;

    /// <summary>The last LSN that the current snapshot covers; 0 when there is none.</summary>
    [JsonIgnore]
    public long SnapshotLsn => Snapshots is [.., var newest] ? newest.Lsn : 0;

    /// <summary>LSN after the last sealed segment: where the tail begins.</summary>
    [JsonIgnore]
    public long FirstLsnAfterSealed => Segments.LastOrDefault(s => s.Sealed)?.LastLsn + 1 ?? FirstLsn;

    /// <summary>Bytes of the sealed segments that hold <paramref name="lsn"/> or anything above it: what keeping the log from there on keeps.</summary>
    public long SealedBytesFrom(long lsn) => Segments.Where(s => s.LastLsn >= lsn).Sum(s => s.LengthBytes ?? 0);
}

/// <summary>One blob of a channel's log.</summary>
/// <param name="Term">Term of its writer.</param>
/// <param name="FirstLsn">LSN of its first record.</param>
/// <param name="LastLsn">LSN of its last record, once sealed.</param>
/// <param name="LengthBytes">Its length, once sealed.</param>
public sealed record WalSegment(long Term, long FirstLsn, long? LastLsn = null, long? LengthBytes = null)
{
    /// <summary>When it was sealed; retention by age counts from here.</summary>
    public DateTimeOffset? SealedAt { get; init; }

    /// <summary>It can grow no more, and its end is written here.</summary>
    [JsonIgnore]
    public bool Sealed => LastLsn is not null;

    /// <summary>Name of its blob: the term first, so that a list shows who wrote last.</summary>
    public string BlobName(string channel) => string.Create(CultureInfo.InvariantCulture, $"{channel}/{Term:D10}-{FirstLsn:D20}.seg");
}

/// <summary>A snapshot that the manifest lists.</summary>
/// <param name="Lsn">The last LSN that it covers.</param>
/// <param name="Term">Term of its writer.</param>
/// <param name="LengthBytes">Length of its blob.</param>
/// <param name="NextBatchLsn">LSN of a batch at or before <paramref name="Lsn"/> + 1, from which recovery reads on.</param>
/// <param name="NextBatchOffset">Where that batch begins in the segment that holds it; 0 for the segment's first.</param>
public sealed record WalSnapshotEntry(long Lsn, long Term, long LengthBytes, long NextBatchLsn, long NextBatchOffset)
{
    /// <summary>Name of its blob.</summary>
    public string BlobName(string channel) => string.Create(CultureInfo.InvariantCulture, $"{channel}/{Lsn:D20}-{Term:D10}.snap");
}

/// <summary>Keeps a part of the log from being deleted, until it is released or its time is over.</summary>
/// <param name="Id">Whose it is; the same id again replaces it.</param>
/// <param name="FromLsn">Everything from here on is kept.</param>
/// <param name="ExpiresAt">When it counts no longer.</param>
public sealed record WalPin(string Id, long FromLsn, DateTimeOffset ExpiresAt);

/// <summary>A record read from the log.</summary>
/// <param name="Lsn">Its position.</param>
/// <param name="Term">Term of the writer that appended it.</param>
/// <param name="Record">The record.</param>
public readonly record struct WalEntry(long Lsn, long Term, Core.Wal.WalRecord Record);
