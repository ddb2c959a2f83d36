namespace Baton.Core.Recovery;

/// <summary>A replica that a channel should have.</summary>
/// <param name="ReplicaId">Its stable id.</param>
/// <param name="Endpoint">Where it is.</param>
public sealed record AssignedReplica(string ReplicaId, ReplicaEndpoint Endpoint);

/// <summary>Which replicas a channel should have at an epoch, and which of them are to be recovered.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Epoch">The term of its leadership.</param>
/// <param name="Replicas">All of them; who is not listed is given up.</param>
/// <param name="RecoveryTargets">Replica ids and what for.</param>
/// <param name="Budget">What each of the sessions may take.</param>
public sealed record AssignmentIntent(
    string Channel, long Epoch, IReadOnlyList<AssignedReplica> Replicas, IReadOnlyDictionary<string, SessionKind> RecoveryTargets, RecoveryBudget? Budget = null);

/// <summary>What an intent changed: replica ids, each list in their order.</summary>
/// <param name="Added">Replicas that are new.</param>
/// <param name="Removed">Replicas that were given up.</param>
/// <param name="SessionsCreated">Those with a new session.</param>
/// <param name="SessionsSuperseded">Those whose session gave way to a new one.</param>
/// <param name="SessionsFailed">Targets that got no session.</param>
public sealed record AssignmentResult(
    IReadOnlyList<string> Added, IReadOnlyList<string> Removed, IReadOnlyList<string> SessionsCreated, IReadOnlyList<string> SessionsSuperseded, IReadOnlyList<string> SessionsFailed);
