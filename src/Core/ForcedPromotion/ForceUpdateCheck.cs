using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Core.ForcedPromotion;

/// <summary>
/// The checks of a force update, in the order and words of the API. Run twice: before anything is started, and again under the
/// cluster lock, since the role may have changed in between.
/// </summary>
public static class ForceUpdateCheck
{
    /// <summary>Decides about a force update to <paramref name="configuration"/>.</summary>
    /// <param name="configuration">The configuration wanted.</param>
    /// <param name="meta">The one stored.</param>
    /// <param name="clusterId">This cluster.</param>
    /// <param name="enabled">Whether the setting allows force updates.</param>
    public static ForceUpdateDecision Check(
        ReplicateConfiguration? configuration,
        ReplicateConfigurationMeta meta,
        string clusterId,
        bool enabled)
    {
        ArgumentNullException.ThrowIfNull(meta);
        if (!enabled)
        {
            return new ForceUpdateDecision.Refused(new ApiError(ApiErrorCode.FeatureDisabled, "force_update is disabled by configuration"));
        }

        if (ReplicateRoles.RoleOf(meta.Configuration, clusterId) != ClusterRole.Secondary)
        {
            // The one exception to the order: a retry of a promotion that has succeeded finds its own work, not an error.
            return configuration is not null && meta.ForceUpdated && ReplicateEquality.Same(configuration, meta.Configuration)
                ? new ForceUpdateDecision.Unchanged()
                : Refuse("force_update can only be used on secondary clusters, current cluster is primary");
        }

        if (configuration is null)
        {
            return Refuse("configuration cannot be nil");
        }

        if (CheckShape(configuration, clusterId) is { } wrong)
        {
            return Refuse(wrong);
        }

        if (ReplicateEquality.Same(configuration, meta.Configuration))
        {
            return new ForceUpdateDecision.Unchanged();
        }

        // Channels that were created meanwhile, and that no configuration names yet, must not stand in its way: they get the forced record all the same.
        string[] named = [.. (meta.Configuration?.Find(clusterId)?.PChannels ?? []).OfType<string>()];
        return ReplicateConfigurationValidator.Validate(configuration, meta.Configuration, clusterId, named) is { } error
            ? new ForceUpdateDecision.Refused(error)
            : new ForceUpdateDecision.Proceed();
    }

    private static string? CheckShape(ReplicateConfiguration configuration, string clusterId)
    {
        var clusters = configuration.Clusters ?? [];
        if (clusters.Count != 1)
        {
            return $"force_update requires configuration with exactly one cluster (current cluster only), got {clusters.Count} clusters";
        }

        if (!string.Equals(clusters[0]?.ClusterId, clusterId, StringComparison.Ordinal))
        {
            return $"force_update requires configuration with only current cluster {clusterId}, got cluster {clusters[0]?.ClusterId}";
        }

        return configuration.Edges.Count > 0
            ? $"force_update requires configuration with no topology (standalone cluster), got {configuration.Edges.Count} topology edges"
            : null;
    }

    private static ForceUpdateDecision.Refused Refuse(string detail) => new(ApiError.InvalidArgument(detail));
}
