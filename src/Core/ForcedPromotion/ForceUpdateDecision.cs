using Baton.Core.Api;

namespace Baton.Core.ForcedPromotion;

/// <summary>What a force update may do.</summary>
public abstract record ForceUpdateDecision
{
    private ForceUpdateDecision()
    {
    }

    /// <summary>Nothing: a check failed.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Refused(ApiError Error) : ForceUpdateDecision;

    /// <summary>Nothing: the configuration is in force already.</summary>
    public sealed record Unchanged : ForceUpdateDecision;

    /// <summary>Promote.</summary>
    public sealed record Proceed : ForceUpdateDecision;
}
