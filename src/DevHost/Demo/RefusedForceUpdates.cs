using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.DevHost.Demo;

/// <summary>A force update that must be refused, with the words it must be refused with.</summary>
/// <param name="Check">The check it fails.</param>
/// <param name="Configuration">What is asked for.</param>
/// <param name="Detail">The refusal, word for word; null where only the refusal itself is looked for.</param>
public sealed record RefusedForceUpdate(string Check, ReplicateConfiguration? Configuration, string? Detail)
{
    /// <summary>Each check of a force update on a secondary <paramref name="self"/>, failed once, in the order they are made.</summary>
    /// <param name="self">The secondary's entry of the configuration in force.</param>
    /// <param name="other">Another cluster's entry.</param>
    public static IReadOnlyList<RefusedForceUpdate> OnSecondary(ReplicateCluster self, ReplicateCluster other)
    {
        ArgumentNullException.ThrowIfNull(self);
        ArgumentNullException.ThrowIfNull(other);
        return
        [
            new("no configuration", null, "configuration cannot be nil"),
            new("two clusters", new([self, other]), "force_update requires configuration with exactly one cluster (current cluster only), got 2 clusters"),
            new("another cluster", new([other]), $"force_update requires configuration with only current cluster {self.ClusterId}, got cluster {other.ClusterId}"),
            new("an edge", new([self], new([new(other.ClusterId, self.ClusterId)])), "force_update requires configuration with no topology (standalone cluster), got 1 topology edges"),
        ];
    }

    /// <summary>A force update on the primary.</summary>
    public static RefusedForceUpdate OnPrimary(ReplicateCluster self) =>
        new("asked of the primary", new([self]), "force_update can only be used on secondary clusters, current cluster is primary");

    /// <summary>The request.</summary>
    public UpdateReplicateConfigurationRequest Request => new(Configuration, ForceUpdate: true);
}
