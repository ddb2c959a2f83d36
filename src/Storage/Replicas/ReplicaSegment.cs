using System.Globalization;
using Baton.Storage.Wal;

namespace Baton.Storage.Replicas;

/// <summary>One file of a replica: its name, and how far it goes. Changed only by the log, under its lock for what readers see.</summary>
internal sealed class ReplicaSegment(long term, long firstLsn)
{
    /// <summary>The term under which its records were written; 0 only for the file that says where an empty log begins.</summary>
    public long Term { get; } = term;

    /// <summary>LSN of its first record.</summary>
    public long FirstLsn { get; } = firstLsn;

    /// <summary>Its last record.</summary>
    public LogPosition Last { get; set; }

    /// <summary>Bytes of it that are whole batches.</summary>
    public long LengthBytes { get; set; }

    /// <summary>Where batches begin, sparsely, the first one always.</summary>
    public List<WalSegmentPlace> Places { get; } = [];

    /// <summary>Name of the file.</summary>
    public string Name => NameOf(Term, FirstLsn);

    /// <summary>Name of its index.</summary>
    public string IndexName => IndexNameOf(Name);

    /// <summary>Name of the file that shall replace it.</summary>
    public string NewName => Path.ChangeExtension(Name, ".new");

    /// <summary>Notes that a batch begins at <paramref name="place"/>.</summary>
    public void NotePlace(WalSegmentPlace place)
    {
        if (Places.Count == 0 || place.Offset - Places[^1].Offset >= ReplicaIndex.SpacingBytes)
        {
            Places.Add(place);
        }
    }

    /// <summary>Notes a batch behind all others.</summary>
    public void NoteBatch(LogPosition last, long firstLsn, int sizeBytes)
    {
        NotePlace(new WalSegmentPlace(firstLsn, LengthBytes));
        LengthBytes += sizeBytes;
        Last = last;
    }

    public static string NameOf(long term, long firstLsn) => string.Create(CultureInfo.InvariantCulture, $"{term:D10}-{firstLsn:D20}.seg");

    public static string IndexNameOf(string name) => Path.ChangeExtension(name, ".idx");

    /// <summary>The file of that name, or null when it is none of these.</summary>
    public static ReplicaSegment? Parse(string name)
    {
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        return dash > 0
            && name.EndsWith(".seg", StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var term)
            && long.TryParse(name.AsSpan((dash + 1)..^4), NumberStyles.None, CultureInfo.InvariantCulture, out var firstLsn)
            && firstLsn >= 1
            && name == NameOf(term, firstLsn)
            ? new ReplicaSegment(term, firstLsn)
            : null;
    }
}
