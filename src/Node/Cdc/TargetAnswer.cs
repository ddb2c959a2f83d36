using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Node.Cdc;

/// <summary>What a target made of a request, as far as a sender cares.</summary>
internal enum TargetOutcome
{
    /// <summary>All of it is durable there, or was before.</summary>
    Taken,

    /// <summary>Nobody knows whether it was taken, or it was not and soon may be: ask again.</summary>
    Retry,

    /// <summary>It was understood and not taken: the target is not, or not yet, what this cluster's configuration says.</summary>
    Refused,

    /// <summary>It was not taken, because the target was promoted in this cluster's place.</summary>
    Departed,

    /// <summary>It was not understood. Sent again unchanged it fares no better: a fault of this or the other version, which is to be seen and never skipped.</summary>
    Wrong,
}

/// <summary>An answer.</summary>
/// <param name="Outcome">What it comes to.</param>
/// <param name="Kind">Why, in one of a few words, for counting.</param>
/// <param name="Reason">Why, in words for an operator. Holds no token.</param>
internal sealed record TargetAnswer(TargetOutcome Outcome, string Kind, string Reason)
{
    /// <summary>With <see cref="TargetOutcome.Taken"/>.</summary>
    public ReplicateResponse? Response { get; init; }

    /// <summary>With <see cref="TargetOutcome.Departed"/>.</summary>
    public ReplicateDeparture? Departure { get; init; }

    /// <summary>The least pause that the target asks for.</summary>
    public TimeSpan? After { get; init; }

    public static TargetAnswer Taken(ReplicateResponse response) => new(TargetOutcome.Taken, "taken", "taken") { Response = response };

    public static TargetAnswer Retry(string kind, string reason, TimeSpan? after = null) => new(TargetOutcome.Retry, kind, reason) { After = after };

    public static TargetAnswer Refused(string kind, string reason) => new(TargetOutcome.Refused, kind, reason);

    public static TargetAnswer Wrong(string reason) => new(TargetOutcome.Wrong, "wrong", reason);
}
