using System.Security.Cryptography;
using System.Text;
using Baton.Core.Replication;

namespace Baton.Core.ForcedPromotion;

/// <summary>The operation id of a promotion, made from what is asked and from what version, so that two requests at once are one promotion.</summary>
public static class PromotionOperationId
{
    private const int HashDigits = 12;

    /// <summary><c>promote-{version}-{first 12 hex digits of the SHA-256 of the configuration's canonical text}</c>.</summary>
    public static string For(ReplicateConfiguration configuration, ReplicateConfigurationMeta meta)
    {
        ArgumentNullException.ThrowIfNull(meta);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(ReplicateEquality.Canonical(configuration)));
        return $"promote-{meta.Version}-{Convert.ToHexStringLower(hash)[..HashDigits]}";
    }
}
