namespace Baton.Storage.Replicas;

/// <summary>When a replica's log is forced to the disk. What is acknowledged to writers is in the blobs, so this never decides whether a write is lost, only how much a replica fetches again after its host has crashed.</summary>
public enum ReplicaFsync
{
    /// <summary>Every append, before it counts as flushed.</summary>
    Always,

    /// <summary>At most <see cref="ReplicaLogOptions.FsyncIntervalMs"/> after an append.</summary>
    Interval,

    /// <summary>When the operating system likes to; what is written counts as flushed.</summary>
    Never,
}

/// <summary>Section <c>Replicas</c>: the logs that a node keeps on its own disk for channels that it follows.</summary>
public sealed class ReplicaLogOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Replicas";

    /// <summary>Folder of the logs, one folder a channel in it. One process at a time may use it.</summary>
    public string Folder { get; set; } = "replicas";

    /// <summary>When appends are forced to the disk.</summary>
    public ReplicaFsync Fsync { get; set; } = ReplicaFsync.Interval;

    /// <summary>With <see cref="ReplicaFsync.Interval"/>: milliseconds that an append may wait for the disk. Shorter reports progress sooner and costs more syncs.</summary>
    public int FsyncIntervalMs { get; set; } = 50;

    /// <summary>Bytes of a file before the next one is begun.</summary>
    public long SegmentBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>Bytes of one channel's files above which the oldest go by themselves, all but the last two. Less: a replica that is behind is sooner one that must fetch anew. More: disk.</summary>
    public long RetainBytes { get; set; } = 4L * 1024 * 1024 * 1024;

    /// <summary>Throws when a value makes no sense; the message names the setting, its value and what it may be.</summary>
    /// <exception cref="InvalidOperationException">One does not.</exception>
    public void Validate()
    {
        if (string.IsNullOrWhiteSpace(Folder))
        {
            throw new InvalidOperationException($"Setting '{Section}:{nameof(Folder)}' is empty; it must be a folder of this node alone.");
        }

        if (!Enum.IsDefined(Fsync))
        {
            throw new InvalidOperationException($"Setting '{Section}:{nameof(Fsync)}' is {Fsync}; it must be {string.Join(", ", Enum.GetNames<ReplicaFsync>())}.");
        }

        Require(FsyncIntervalMs, 1, 60_000, nameof(FsyncIntervalMs));
        Require(SegmentBytes, 1, 100L * 1024 * 1024 * 1024, nameof(SegmentBytes));
        Require(RetainBytes, 0, long.MaxValue, nameof(RetainBytes));
    }

    private static void Require(long value, long least, long most, string name)
    {
        if (value < least || value > most)
        {
            throw new InvalidOperationException($"Setting '{Section}:{name}' is {value}; it must be {least} to {most}.");
        }
    }
}
