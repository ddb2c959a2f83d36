using System.Runtime.InteropServices;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>What is wrong with a part of a log.</summary>
public enum WalDamageKind
{
    /// <summary>A block, a segment or a whole part of the log cannot be read.</summary>
    Unreadable,

    /// <summary>All records are there, but the segment's length is not what the manifest says.</summary>
    Length,

    /// <summary>A batch that belongs to another place, or segments that do not follow each other.</summary>
    Order,

    /// <summary>Records whose time tick is not above the one before.</summary>
    TimeTick,

    /// <summary>A snapshot that cannot be used; the records it was made from may still be there.</summary>
    Snapshot,
}

/// <summary>One thing that is wrong with a channel's log.</summary>
/// <param name="Kind">What sort of thing.</param>
/// <param name="Channel">The channel.</param>
/// <param name="Segment">Name of the blob, of a segment or of a snapshot.</param>
/// <param name="Offset">Where in the blob the damaged block begins, in bytes.</param>
/// <param name="FirstMissingLsn">The first LSN that cannot be read; null when no record is missing.</param>
/// <param name="LastMissingLsn">The last one; null when it is not known, because the segment is open, or when no record is missing.</param>
/// <param name="Problem">What was found, for people.</param>
public sealed record WalDamage(WalDamageKind Kind, string Channel, string Segment, long Offset, long? FirstMissingLsn, long? LastMissingLsn, string Problem);

/// <summary>One thing met on the way through a log: a batch, or damage in its place.</summary>
/// <param name="Segment">The segment that it was met in.</param>
/// <param name="Lsn">The LSN that begins here.</param>
/// <param name="Offset">Where in the blob it begins, in bytes.</param>
/// <param name="SizeBytes">Bytes of the batch; 0 for damage.</param>
/// <param name="Batch">The batch, or null.</param>
/// <param name="Damage">The damage, or null.</param>
public sealed record WalScanned(WalSegment Segment, long Lsn, long Offset, int SizeBytes, WalBatch? Batch, WalDamage? Damage);

/// <summary>What a whole log was found to be.</summary>
/// <param name="Manifest">The manifest by which it was read.</param>
public sealed record WalVerification(WalManifest Manifest)
{
    /// <summary>Damages that are listed at most; a log that is garbage throughout must not fill the memory.</summary>
    public const int MaxListed = 10_000;

    /// <summary>What is wrong, in the order of the log, snapshots last; at most <see cref="MaxListed"/>.</summary>
    public IReadOnlyList<WalDamage> Damages { get; init; } = [];

    /// <summary>How many more there are than are listed.</summary>
    public long DamagesNotListed { get; init; }

    /// <summary>Batches that can be read.</summary>
    public long Batches { get; init; }

    /// <summary>Records that can be read.</summary>
    public long Records { get; init; }

    /// <summary>Bytes of the batches that can be read.</summary>
    public long Bytes { get; init; }

    /// <summary>The first LSN that can be read, or null when none can.</summary>
    public long? FirstReadableLsn { get; init; }

    /// <summary>The last LSN that can be read, or null when none can.</summary>
    public long? LastReadableLsn { get; init; }

    /// <summary>Nothing is wrong.</summary>
    public bool Clean => Damages.Count == 0;
}

/// <summary>How far a verification has come.</summary>
/// <param name="Segment">Which segment is being read, from 1.</param>
/// <param name="Segments">How many there are.</param>
/// <param name="Bytes">Bytes read.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct WalVerifyProgress(int Segment, int Segments, long Bytes);
