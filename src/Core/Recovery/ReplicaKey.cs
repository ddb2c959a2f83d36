namespace Baton.Core.Recovery;

/// <summary>Who a replica is, wherever it lives: an address may change hands, this may not.</summary>
/// <param name="Channel">The channel of which it holds a copy.</param>
/// <param name="ReplicaId">Its stable id: the id of its node.</param>
public sealed record ReplicaKey(string Channel, string ReplicaId)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Channel}/{ReplicaId}";
}

/// <summary>Where a replica is reached, and in which life.</summary>
/// <param name="DataAddress">Where its copy is read and written.</param>
/// <param name="ControlAddress">Where it takes the steps of a session.</param>
/// <param name="Version">Raised whenever what answers there is another process: its node's incarnation.</param>
public sealed record ReplicaEndpoint(Uri DataAddress, Uri ControlAddress, long Version)
{
    /// <summary>Whether a session that began at <paramref name="before"/> means another replica than the one here.</summary>
    public bool Changed(ReplicaEndpoint before) => this != before;
}
