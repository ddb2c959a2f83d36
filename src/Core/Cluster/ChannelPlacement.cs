using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Core.Cluster;

/// <summary>What a channel's creation comes to.</summary>
/// <param name="State">The new state, or the old where nothing is to be written.</param>
/// <param name="Created">The new state is to be written.</param>
/// <param name="Error">Why not.</param>
public sealed record ChannelPlacementResult(ClusterState State, bool Created, ApiError? Error = null);

/// <summary>Creates channels: the only code that gives a channel its first leader.</summary>
public static class ChannelPlacement
{
    /// <summary>The most copies that can be asked for.</summary>
    public const int MaxReplicationFactor = 7;

    /// <summary>
    /// The state with channel <paramref name="name"/>, led by the node with fewest channels at term 1, with as many of the copies asked
    /// for as there are live nodes. Without a live node it is offline until one joins. A channel that exists is left as it is.
    /// </summary>
    public static ChannelPlacementResult Create(ClusterState state, string name, int replicationFactor)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!VChannels.IsValidChannel(name))
        {
            return new ChannelPlacementResult(state, Created: false, ApiError.InvalidArgument("channel name must match [a-z0-9][a-z0-9._-]{0,62} and cannot contain _v"));
        }

        if (replicationFactor is < 1 or > MaxReplicationFactor)
        {
            return new ChannelPlacementResult(state, Created: false, ApiError.InvalidArgument($"replicationFactor must be 1 to {MaxReplicationFactor}"));
        }

        if (state.Channels.ContainsKey(name))
        {
            return new ChannelPlacementResult(state, Created: false);
        }

        var index = state.Channels.Count == 0 ? 0 : state.Channels.Values.Max(c => c.Index) + 1;
        var channel = new ChannelState(Leader: null, Term: 0, replicationFactor, [], index);
        if (LeaderMoves.Choose(state, [new(name, channel)], LeaderPolicy.Spread).TryGetValue(name, out var leader))
        {
            channel = Placement.Lead(channel, leader) with { Replicas = Replicas(state, leader, replicationFactor - 1) };
        }

        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal) { [name] = channel };
        return new ChannelPlacementResult(state with { Version = state.Version + 1, Channels = channels }, Created: true);
    }

    private static List<ReplicaState> Replicas(ClusterState state, string leader, int count)
    {
        var spread = new ReplicaSpread(state, Placement.Candidates(state));
        var owners = new List<string> { leader };
        while (owners.Count <= count && spread.Next(owners, owners) is { } next)
        {
            owners.Add(next);
        }

        return [.. owners.Skip(1).Select(ReplicaSpread.Fresh)];
    }
}
