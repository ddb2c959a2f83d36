using Baton.Core.Cluster;
using Baton.Functions.Settings;

namespace Baton.Functions.Topology;

/// <summary>Where channels go.</summary>
/// <param name="LeaderPolicy">
/// Which of several equally good nodes leads: <c>Placement:LeaderPolicy</c>, default PreferCoordinator, the leader of the metadata where there is one; Spread balances without regard to it.
/// </param>
internal sealed record PlacementOptions(LeaderPolicy LeaderPolicy)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static PlacementOptions From(IConfiguration configuration) => new(configuration.Choice("Placement:LeaderPolicy", byDefault: LeaderPolicy.PreferCoordinator));
}
