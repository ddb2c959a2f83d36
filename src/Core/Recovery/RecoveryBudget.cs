namespace Baton.Core.Recovery;

/// <summary>Which bound a session broke.</summary>
public enum BudgetViolation
{
    /// <summary>None.</summary>
    None,

    /// <summary>It took too long.</summary>
    DurationExceeded,

    /// <summary>It replayed too many records.</summary>
    EntriesExceeded,

    /// <summary>It moved too many bytes.</summary>
    BytesExceeded,

    /// <summary>It got no further for too long.</summary>
    ProgressStalled,
}

/// <summary>What a session may take. 0 is no bound; what is strictly above one breaks it.</summary>
/// <param name="MaxDuration">Ticks from its begin.</param>
/// <param name="MaxEntries">Records replayed.</param>
/// <param name="MaxBytes">Bytes moved.</param>
/// <param name="MaxStall">Ticks without progress.</param>
public sealed record RecoveryBudget(long MaxDuration = 0, long MaxEntries = 0, long MaxBytes = 0, long MaxStall = 0)
{
    /// <summary>No bound at all.</summary>
    public static RecoveryBudget Unlimited { get; } = new();

    /// <summary>The first bound that <paramref name="use"/> breaks at <paramref name="tick"/>.</summary>
    public BudgetViolation Check(BudgetUse use, long tick)
    {
        ArgumentNullException.ThrowIfNull(use);
        return Exceeds(BudgetUse.Passed(use.StartTick, tick), MaxDuration) ? BudgetViolation.DurationExceeded
            : Exceeds(use.Entries, MaxEntries) ? BudgetViolation.EntriesExceeded
            : Exceeds(use.Bytes, MaxBytes) ? BudgetViolation.BytesExceeded
            : Exceeds(BudgetUse.Passed(use.LastProgressTick, tick), MaxStall) ? BudgetViolation.ProgressStalled
            : BudgetViolation.None;
    }

    /// <summary>The first tick at which time alone breaks a bound, or null: what a timer is set to.</summary>
    public long? Deadline(BudgetUse use)
    {
        ArgumentNullException.ThrowIfNull(use);
        var earliest = Math.Min(After(use.StartTick, MaxDuration), After(use.LastProgressTick, MaxStall));
        return earliest == long.MaxValue ? null : earliest;
    }

    /// <summary>The first tick at which more than <paramref name="limit"/> have passed since <paramref name="start"/>; the greatest of all without a limit.</summary>
    internal static long After(long start, long limit) => limit > 0 && start < long.MaxValue - limit ? start + limit + 1 : long.MaxValue;

    private static bool Exceeds(long used, long limit) => limit > 0 && used > limit;
}

/// <summary>What a session has taken so far.</summary>
/// <param name="StartTick">When it began to transfer.</param>
/// <param name="LastProgressTick">When it last got further.</param>
/// <param name="Entries">Records replayed.</param>
/// <param name="Bytes">Bytes moved.</param>
public sealed record BudgetUse(long StartTick, long LastProgressTick, long Entries = 0, long Bytes = 0)
{
    /// <summary>A session that begins.</summary>
    public static BudgetUse From(long tick) => new(tick, tick);

    /// <summary>The use after progress. A tick below one seen before counts as that one: clocks go back, time does not.</summary>
    public BudgetUse Progressed(long entries, long bytes, long? tick)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return this with { Entries = Entries + entries, Bytes = Bytes + bytes, LastProgressTick = Math.Max(LastProgressTick, tick ?? LastProgressTick) };
    }

    internal static long Passed(long since, long tick) => Math.Max(0, tick - since);
}
