using System.Text.Json.Serialization;

namespace Baton.Core.Recovery;

/// <summary>What a session is for. All but <see cref="Rebuild"/> bring an existing copy up to date.</summary>
public enum SessionKind
{
    /// <summary>A replica that is new.</summary>
    Bootstrap,

    /// <summary>One that fell behind or away.</summary>
    Catchup,

    /// <summary>One that needs a new copy.</summary>
    Rebuild,

    /// <summary>One whose leader or address changed.</summary>
    Reassign,
}

/// <summary>How far a session is. It never goes back.</summary>
public enum SessionPhase
{
    /// <summary>Nothing was done.</summary>
    Init,

    /// <summary>The replica is asked.</summary>
    Connecting,

    /// <summary>The replica has answered: the range is known.</summary>
    Handshake,

    /// <summary>Records come.</summary>
    Catchup,

    /// <summary>Done.</summary>
    Completed,

    /// <summary>Ended before it was done.</summary>
    Invalidated,
}

/// <summary>One attempt to bring one replica back. A value: it changes only through its <see cref="ReplicaSender"/>, which hands out another.</summary>
public sealed record RecoverySession
{
    /// <summary>Unique in the cluster and rising: a call of an older session is told by it.</summary>
    public required long Id { get; init; }

    /// <summary>The epoch at which it was made; it means nothing at another.</summary>
    public required long Epoch { get; init; }

    /// <summary>What it is for.</summary>
    public required SessionKind Kind { get; init; }

    /// <summary>How far it is.</summary>
    public SessionPhase Phase { get; init; }

    /// <summary>Why it was invalidated; the first reason stays.</summary>
    public string? EndedBecause { get; init; }

    /// <summary>The last record that replica and log have in common.</summary>
    public long StartLsn { get; init; }

    /// <summary>How far it is to come.</summary>
    public long TargetLsn { get; init; }

    /// <summary>The target once catching up has begun: what is committed later is left to the leader's feed.</summary>
    public long? FrozenTargetLsn { get; init; }

    /// <summary>How far a catch-up has come; of a rebuild, <see cref="RebuildProgress.ReachedLsn"/> tells.</summary>
    public long RecoveredTo { get; init; }

    /// <summary>Where the copy must be cut; null where it must not.</summary>
    public long? TruncateToLsn { get; init; }

    /// <summary>It was cut there.</summary>
    public bool TruncationRecorded { get; init; }

    /// <summary>What it may take.</summary>
    public RecoveryBudget Budget { get; init; } = RecoveryBudget.Unlimited;

    /// <summary>What it has taken; null until the transfer begins.</summary>
    public BudgetUse? Use { get; init; }

    /// <summary>The rebuild; null for any other kind.</summary>
    public RebuildProgress? Rebuild { get; init; }

    /// <summary>It may still be called.</summary>
    [JsonIgnore]
    public bool IsActive => Phase is not (SessionPhase.Completed or SessionPhase.Invalidated);

    /// <summary>Records that must go are still there.</summary>
    [JsonIgnore]
    public bool MustTruncate => TruncateToLsn is not null && !TruncationRecorded;

    /// <summary>Nothing is left to transfer or to drop.</summary>
    [JsonIgnore]
    public bool HasConverged => Rebuild is { } rebuild ? rebuild.IsReady : !MustTruncate && RecoveredTo >= FrozenTargetLsn;

    /// <summary>The first tick at which time alone breaks its budget, or null.</summary>
    [JsonIgnore]
    public long? Deadline => IsActive && Use is { } use && !HasConverged ? Budget.Deadline(use) : null;

    internal bool MayComplete => Kind != SessionKind.Rebuild && !MustTruncate && Phase switch
    {
        SessionPhase.Handshake => StartLsn == TargetLsn,
        SessionPhase.Catchup => HasConverged,
        _ => false,
    };

    internal RecoverySession Invalidated(string reason) => IsActive
        ? this with { Phase = SessionPhase.Invalidated, EndedBecause = reason, Rebuild = Rebuild is { } rebuild ? rebuild with { Phase = RebuildPhase.Aborted } : null }
        : this;

    internal RecoverySession Ranged(long start, long target, long? truncateTo) => this with { Phase = SessionPhase.Handshake, StartLsn = start, TargetLsn = target, RecoveredTo = start, TruncateToLsn = truncateTo };

    internal RecoverySession Begun(long tick) => this with { Phase = SessionPhase.Catchup, FrozenTargetLsn = TargetLsn, Use = BudgetUse.From(tick) };

    internal RecoverySession Progressed(long lsn, long bytes, long? tick) => this with { RecoveredTo = lsn, Use = Use?.Progressed(lsn - RecoveredTo, bytes, tick) };

    internal RecoverySession Transferred(RebuildPhase phase, long lsn, long bytes, long? tick)
    {
        var rebuild = Rebuild ?? RebuildProgress.None;

        // A snapshot is one thing, however many records it stands for: it counts by its bytes.
        var entries = Math.Max(0, lsn - Math.Max(rebuild.FromLsn, rebuild.ReachedLsn ?? 0));
        return this with { Rebuild = rebuild with { Phase = phase, ReachedLsn = lsn }, Use = Use?.Progressed(entries, bytes, tick) };
    }
}
