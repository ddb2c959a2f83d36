namespace Baton.Core.Recovery;

/// <summary>What a run waits for. Each may be done twice; the second time finds it done.</summary>
public enum RecoveryActionKind
{
    /// <summary>Nothing: the run is over.</summary>
    None,

    /// <summary>Bind the session to the replica.</summary>
    Connect,

    /// <summary>Ask the replica for its position, and the log for its history and for its record at that position.</summary>
    Handshake,

    /// <summary>Search the last record that replica and log have in common.</summary>
    FindCommon,

    /// <summary>Keep the log from <see cref="RecoveryAction.FromLsn"/> on for this session.</summary>
    Pin,

    /// <summary>Have the replica drop what is above <see cref="RecoveryAction.TargetLsn"/>.</summary>
    Truncate,

    /// <summary>Have the replica fetch through <see cref="RecoveryAction.TargetLsn"/>.</summary>
    CatchUp,

    /// <summary>Have the replica make a new copy through <see cref="RecoveryAction.TargetLsn"/>.</summary>
    Rebuild,

    /// <summary>Compare the records of replica and log at <see cref="RecoveryAction.TargetLsn"/>.</summary>
    Verify,

    /// <summary>Keep the log for this session no longer; nothing to do where it never was.</summary>
    Unpin,
}

/// <summary>One thing to do for a run.</summary>
/// <param name="Kind">What.</param>
/// <param name="FromLsn">From where.</param>
/// <param name="TargetLsn">Up to where.</param>
/// <param name="Source">From what, for a rebuild.</param>
public sealed record RecoveryAction(RecoveryActionKind Kind, long FromLsn = 0, long TargetLsn = 0, RebuildSource? Source = null);
