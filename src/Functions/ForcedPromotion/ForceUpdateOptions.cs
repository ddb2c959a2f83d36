using Baton.Functions.Settings;

namespace Baton.Functions.ForcedPromotion;

/// <summary>What a force update may do.</summary>
/// <param name="Enabled">Whether there is such a thing: <c>ForceUpdate:Enabled</c>, default true.</param>
/// <param name="Supplement">
/// Whether a promotion completes half-delivered broadcasts: <c>ForceUpdate:Supplement</c>, default true. Off, the promotion ends sooner and its
/// report lists what stays incomplete.
/// </param>
internal sealed record ForceUpdateOptions(bool Enabled = true, bool Supplement = true)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static ForceUpdateOptions From(IConfiguration configuration) =>
        new(configuration.Switch("ForceUpdate:Enabled", byDefault: true), configuration.Switch("ForceUpdate:Supplement", byDefault: true));
}
