namespace Baton.Core.Metadata;

/// <summary>A node as the catalogue knows it.</summary>
/// <param name="NodeId">Its id.</param>
/// <param name="Endpoint">Base address of its HTTP API.</param>
/// <param name="Incarnation">Its last known join.</param>
/// <param name="Zone">Its failure domain, if it has one.</param>
/// <param name="Capacity">Relative capacity.</param>
/// <param name="Status">What has become of it.</param>
public sealed record MetadataNode(string NodeId, Uri Endpoint, long Incarnation, string? Zone, int Capacity, NodeStatus Status);

/// <summary>What has become of a node.</summary>
public enum NodeStatus
{
    /// <summary>It serves.</summary>
    Live,

    /// <summary>It serves what it has, and gets nothing new.</summary>
    Draining,

    /// <summary>It is taken for dead until it joins again.</summary>
    Failed,
}
