using Baton.Core.Cluster;
using Baton.Functions.Settings;

namespace Baton.Functions.Topology;

/// <summary>Where channels go.</summary>
/// <param name="LeaderPolicy">
/// Which of several equally good nodes leads: <c>Placement:LeaderPolicy</c>, default PreferCoordinator, the leader of the metadata where there is one; Spread balances without regard to it.
/// </param>
/// <param name="AutoRebalance">Whether a rebalance begins by itself after a node has joined or was removed: <c>Placement:AutoRebalance</c>, default true.</param>
/// <param name="RebalanceDelay">
/// How long after the last such change: <c>Placement:RebalanceDelayMs</c>, default 60000. A node that restarts leaves and joins within it, so that nothing moves away and back; too long, and a new node idles.
/// </param>
internal sealed record PlacementOptions(LeaderPolicy LeaderPolicy, bool AutoRebalance, TimeSpan RebalanceDelay)
{
    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="InvalidSettingException">One is unfit.</exception>
    public static PlacementOptions From(IConfiguration configuration) => new(
        configuration.Choice("Placement:LeaderPolicy", byDefault: LeaderPolicy.PreferCoordinator),
        configuration.Switch("Placement:AutoRebalance", byDefault: true),
        configuration.Milliseconds("Placement:RebalanceDelayMs", byDefault: 60_000, min: 0, max: 86_400_000));
}
