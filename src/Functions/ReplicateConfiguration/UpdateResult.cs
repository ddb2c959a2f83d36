using Baton.Core.Api;
using Baton.Core.Replication;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>The result of an operation that updates the replicate configuration, as it is kept with the operation.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Promotion">What a forced promotion did.</param>
internal sealed record UpdateResult(UpdateOutcome Outcome, PromotionReport? Promotion = null);

/// <summary>Ids of normal updates: the same configuration asked for at the same version is the same operation.</summary>
internal static class AlterOperationId
{
    /// <summary><c>alter-{version}-{fingerprint of the configuration}</c>.</summary>
    public static string For(Configuration configuration, ReplicateConfigurationMeta meta) => $"alter-{meta.Version}-{ReplicateEquality.Fingerprint(configuration)}";
}

/// <summary>The stored configuration as the API shows it.</summary>
internal static class ConfigurationViews
{
    /// <summary>The view; tokens are never shown.</summary>
    public static ReplicateConfigurationView ToView(this StoredConfiguration stored, string clusterId) => new(
        clusterId,
        ReplicateRoles.RoleOf(stored.Meta.Configuration, clusterId),
        ReplicateTokens.Hidden(stored.Meta.Configuration),
        stored.Meta.Version,
        stored.Meta.ForceUpdated,
        stored.Meta.ForceUpdateTimestamp,
        stored.Superseded);
}
