namespace Baton.Core.Replication;

/// <summary>What a configuration makes of each cluster.</summary>
public static class ReplicateRoles
{
    /// <summary>An incoming edge makes a secondary; else an outgoing one a primary; else, and with no configuration at all, or one that does not name the cluster, it stands alone.</summary>
    public static ClusterRole RoleOf(ReplicateConfiguration? configuration, string clusterId)
    {
        if (SourceOf(configuration, clusterId) is not null)
        {
            return ClusterRole.Secondary;
        }

        return TargetsOf(configuration, clusterId).Count > 0 ? ClusterRole.Primary : ClusterRole.Standalone;
    }

    /// <summary>The cluster that <paramref name="clusterId"/> replicates from, or null.</summary>
    public static string? SourceOf(ReplicateConfiguration? configuration, string clusterId) =>
        configuration?.Edges.FirstOrDefault(e => string.Equals(e?.Target, clusterId, StringComparison.Ordinal))?.Source;

    /// <summary>The clusters that replicate from <paramref name="clusterId"/>, in the order of the edges.</summary>
    public static IReadOnlyList<string> TargetsOf(ReplicateConfiguration? configuration, string clusterId) =>
        [.. (configuration?.Edges ?? []).Where(e => string.Equals(e?.Source, clusterId, StringComparison.Ordinal)).Select(e => e!.Target!)];
}
