using Baton.Core.Replication;

namespace Baton.Core.ForcedPromotion;

/// <summary>The operation id of a promotion, made from what is asked and from what version, so that two requests at once are one promotion.</summary>
public static class PromotionOperationId
{
    /// <summary><c>promote-{version}-{fingerprint of the configuration}</c>.</summary>
    public static string For(ReplicateConfiguration configuration, ReplicateConfigurationMeta meta)
    {
        ArgumentNullException.ThrowIfNull(meta);
        return $"promote-{meta.Version}-{ReplicateEquality.Fingerprint(configuration)}";
    }
}
