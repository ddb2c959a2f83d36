using System.Text.Json.Serialization;

namespace Baton.Core.Recovery;

/// <summary>What a copy is made anew from.</summary>
public enum RebuildSource
{
    /// <summary>The newest snapshot, then the log behind it.</summary>
    SnapshotTail,

    /// <summary>Everything that the log retains.</summary>
    FullBase,
}

/// <summary>How far a rebuild is. Phases are only ever entered in this order; <see cref="TailReplay"/> is left out with <see cref="RebuildSource.FullBase"/>.</summary>
public enum RebuildPhase
{
    /// <summary>Nothing is chosen.</summary>
    Init,

    /// <summary>The source is chosen, and the old copy still there.</summary>
    SourceSelect,

    /// <summary>The old copy is gone; the base comes.</summary>
    Transfer,

    /// <summary>The base is there; the log behind the snapshot comes.</summary>
    TailReplay,

    /// <summary>The copy is whole.</summary>
    Completed,

    /// <summary>The session ended before.</summary>
    Aborted,
}

/// <summary>The rebuild within a session.</summary>
/// <param name="Phase">How far it is.</param>
/// <param name="Source">From what.</param>
/// <param name="FromLsn">The last LSN that the new copy does without, or has from the snapshot alone.</param>
/// <param name="BaseLsn">Where the base is whole: the snapshot's LSN, or the target with <see cref="RebuildSource.FullBase"/>.</param>
/// <param name="TargetLsn">What was committed when the source was chosen.</param>
/// <param name="ReachedLsn">The last LSN of the new copy; null until the replica has told that the old one is gone.</param>
public sealed record RebuildProgress(RebuildPhase Phase, RebuildSource Source, long FromLsn, long BaseLsn, long TargetLsn, long? ReachedLsn = null)
{
    /// <summary>A rebuild for which nothing is chosen yet.</summary>
    public static RebuildProgress None { get; } = new(RebuildPhase.Init, RebuildSource.FullBase, 0, 0, 0);

    /// <summary>The copy is whole: only then may it complete.</summary>
    [JsonIgnore]
    public bool IsReady => ReachedLsn >= TargetLsn && Phase == (Source == RebuildSource.SnapshotTail ? RebuildPhase.TailReplay : RebuildPhase.Transfer);

    internal static RebuildProgress Selected(RetainedHistory history) => history.RebuildFrom == RebuildSource.SnapshotTail
        ? new(RebuildPhase.SourceSelect, RebuildSource.SnapshotTail, history.SnapshotLsn, history.SnapshotLsn, history.CommittedLsn)
        : new(RebuildPhase.SourceSelect, RebuildSource.FullBase, history.TailLsn, history.CommittedLsn, history.CommittedLsn);
}
