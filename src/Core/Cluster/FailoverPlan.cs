using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>Where evidence against a node comes from.</summary>
public enum FailureEvidenceKind
{
    /// <summary>Somebody could not reach it. It may be alive all the same, so the cooldown holds.</summary>
    Suspicion,

    /// <summary>Its heartbeats have stopped.</summary>
    HeartbeatLost,

    /// <summary>An operator says so.</summary>
    Operator,

    /// <summary>It says itself that it is about to stop. No suspicion, so no cooldown: it joins again as any other.</summary>
    Leaving,

    /// <summary>It lives, and says itself that it cannot lead some channels: storage does not answer it, or its disk is full. Only these move; the node is not marked failed, and no cooldown begins.</summary>
    CannotLead,
}

/// <summary>A report that a node has failed: evidence, not a verdict.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Kind">Where the report comes from.</param>
/// <param name="Incarnation">The incarnation it is about, where the reporter knows; a report about an older one is void.</param>
/// <param name="Leaderships">
/// With <see cref="FailureEvidenceKind.CannotLead"/>: the channels, each with the term at which it cannot. Once a channel is led by another node or at another term, that entry is void; a report of nothing else is too.
/// </param>
/// <param name="HeardSince">With <see cref="FailureEvidenceKind.HeartbeatLost"/>: heartbeats of the node have come since, so that the report is void while the node is live.</param>
public sealed record FailureEvidence(string NodeId, FailureEvidenceKind Kind, long? Incarnation = null, IReadOnlyList<ChannelAtTerm>? Leaderships = null, bool HeardSince = false);

/// <summary>What a report comes to.</summary>
public enum FailoverOutcome
{
    /// <summary>The new state is to be written.</summary>
    Planned,

    /// <summary>Nothing to write: the node leads nothing and is marked failed, or removed; or it cannot lead channels that no other node can be given.</summary>
    Unchanged,

    /// <summary>The report is about an older incarnation of the node, about a silence that is over, or about leaderships that have all ended: nothing to write.</summary>
    StaleEvidence,

    /// <summary>A suspicion within the cooldown of the last one: nothing to write unless the node's heartbeats have stopped.</summary>
    InCooldown,

    /// <summary>There is no such node.</summary>
    UnknownNode,
}

/// <summary>One channel's new leadership.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="From">Its former leader; null if it was offline.</param>
/// <param name="To">Its new leader; null where no node is live, so that it is offline now.</param>
/// <param name="Term">The term of the new leadership; unchanged where there is none.</param>
public sealed record LeaderMove(string Channel, string? From, string? To, long Term);

/// <summary>A plan: the whole new state, applied by one conditional write.</summary>
/// <param name="Outcome">Whether there is anything to write.</param>
/// <param name="State">The new state, or the old where there is nothing to write.</param>
/// <param name="Moves">The channels that change hands, in creation order.</param>
public sealed record FailoverPlan(FailoverOutcome Outcome, ClusterState State, IReadOnlyList<LeaderMove> Moves);
