using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Tests.Cluster;

/// <summary>Short ways to write cluster states.</summary>
internal static class States
{
    public static ChannelState Led(string? leader, long term) => new(leader, term, 1, [], 0);

    /// <summary>A channel at the term that it is led at.</summary>
    public static ChannelAtTerm At(ClusterState state, string channel) => new(channel, state.Channels[channel].Term);

    /// <summary>The state with one channel more, as a client would have it created.</summary>
    public static ClusterState With(ClusterState state, string channel, int copies, LeaderPolicy policy = LeaderPolicy.Spread) =>
        PartitionInitializer.Initialize(state, [new WantedChannel(channel, copies)], policy).State;

    public static ClusterState Of(string[] nodes, params (string Name, ChannelState Channel)[] channels) => new(
        "b",
        7,
        nodes.ToDictionary(n => n, n => new NodeState(new Uri($"http://{n}"), 1), StringComparer.Ordinal),
        channels.Select((c, i) => (c.Name, Channel: c.Channel with { Index = i })).ToDictionary(c => c.Name, c => c.Channel, StringComparer.Ordinal));
}
