using System.Text.Json.Serialization;

namespace Baton.Core.Recovery;

/// <summary>What it takes to bring a replica back.</summary>
public enum RecoveryOutcome
{
    /// <summary>Nothing: it has all that is committed.</summary>
    ZeroGap,

    /// <summary>Records, dropped or fetched or both, all of them still retained.</summary>
    Catchup,

    /// <summary>A new copy.</summary>
    NeedsRebuild,
}

/// <summary>The verdict on a replica and its proof, in one value, so that neither can contradict the other.</summary>
/// <param name="Outcome">What it takes.</param>
/// <param name="Reason">Why, with the numbers.</param>
/// <param name="StartLsn">The last record that replica and log have in common.</param>
/// <param name="TargetLsn">What is committed.</param>
/// <param name="TruncateToLsn">Where the copy must be cut first; null where it must not.</param>
public sealed record Recoverability(RecoveryOutcome Outcome, string Reason, long StartLsn = 0, long TargetLsn = 0, long? TruncateToLsn = null)
{
    /// <summary>Whether the retained log suffices.</summary>
    [JsonIgnore]
    public bool Recoverable => Outcome != RecoveryOutcome.NeedsRebuild;

    /// <summary>The verdict where there is no log to judge by.</summary>
    public static Recoverability NoHistory { get; } = new(RecoveryOutcome.NeedsRebuild, "no_history");
}
