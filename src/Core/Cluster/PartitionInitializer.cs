using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Core.Cluster;

/// <summary>A channel that is to be there.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ReplicationFactor">Copies asked for, the leader's included.</param>
/// <param name="TopicId">The topic whose partition it carries; null where it is no topic's.</param>
public sealed record WantedChannel(string Name, int ReplicationFactor, long? TopicId = null);

/// <summary>What a wish for channels comes to.</summary>
/// <param name="State">The new state, one version higher; the old where nothing is to be written.</param>
/// <param name="Created">The channels that were not there before, in the order of the wish.</param>
/// <param name="Error">Why it cannot be done; nothing is created then.</param>
public sealed record InitializedChannels(ClusterState State, IReadOnlyList<string> Created, ApiError? Error = null);

/// <summary>
/// Creates channels, with their copies and first leaders: the only code that gives a channel its first leader. It rests on the state alone and changes nothing else in it, so that whoever asks
/// again, or asks for some that are there, gets the same answer.
/// </summary>
public static class PartitionInitializer
{
    /// <summary>The most copies that can be asked for.</summary>
    public const int MaxReplicationFactor = 7;

    /// <summary>The most channels of a cluster. Its state is one row, which must always have room for the next failover: this many leave most of it free.</summary>
    public const int MaxChannels = 20_000;

    // Every node follows it in memory, and its log is in shared storage: copies beside those would only be more to keep in step.
    private const int MetadataCopies = 1;

    // Before the clients' channels, which begin at 0: a plan gives it out first, and the others to where it went.
    private const int MetadataIndex = -1;

    /// <summary>
    /// The state with every channel of <paramref name="wanted"/>; those that are there already are left as they are. Each new one has as many of the copies asked for as there are
    /// candidates, spread over zones first, then to the nodes with fewest copies and leaderships. One of these leads at term 1: the leader of the metadata, where the policy prefers it and it is among
    /// them; else as even as it can be over all that are created at once. Without a live node a channel is offline until one joins.
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="wanted">The channels, in the order in which they are created.</param>
    /// <param name="policy">Which of a channel's owners leads it.</param>
    /// <returns>The state; with a 400 for a name or a number of copies that cannot be; with a 409 where a channel of that name belongs to another topic, or to none.</returns>
    public static InitializedChannels Initialize(ClusterState state, IReadOnlyList<WantedChannel> wanted, LeaderPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(wanted);
        if ((Check(state, wanted) ?? CheckRoom(state, wanted)) is { } error)
        {
            return new InitializedChannels(state, [], error);
        }

        var next = state.PChannels.Select(c => c.Value.Index).DefaultIfEmpty(-1).Max() + 1;
        return Create(state, [.. wanted.Where(w => !state.Channels.ContainsKey(w.Name)).Select((w, i) => KeyValuePair.Create(w.Name, Unled(w.ReplicationFactor, next + i) with { TopicId = w.TopicId }))], policy);
    }

    /// <summary>The state with the channel of the metadata, which is there from the first join of a node on. No client can ask for it.</summary>
    public static InitializedChannels InitializeMetadata(ClusterState state, LeaderPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Create(state, state.Channels.ContainsKey(MetadataChannel.Name) ? [] : [KeyValuePair.Create(MetadataChannel.Name, Unled(MetadataCopies, MetadataIndex))], policy);
    }

    /// <summary>The state, of the same version, in which the channels that have waited for their first leader since they were created have one.</summary>
    internal static ClusterState LeadWaiting(ClusterState state, LeaderPolicy policy) => Place(state, [.. Placement.InOrder(state.Channels.Where(c => c.Value is { Offline: true, Term: 0 }))], policy);

    private static ApiError? CheckRoom(ClusterState state, IReadOnlyList<WantedChannel> wanted) =>
        wanted.Count(w => !state.Channels.ContainsKey(w.Name)) is > 0 and var more && state.Channels.Count + more > MaxChannels
            ? ApiError.Conflict($"The cluster has {state.Channels.Count} channels; with {more} more it would have more than {MaxChannels}, which its state has room for. Delete topics first.")
            : null;

    private static ApiError? Check(ClusterState state, IReadOnlyList<WantedChannel> wanted)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, copies, topicId) in wanted)
        {
            if (!VChannels.IsValidChannel(name))
            {
                return ApiError.InvalidArgument($"channel name '{name}' must match [a-z0-9][a-z0-9._-]{{0,62}} and cannot contain _v");
            }

            if (copies is < 1 or > MaxReplicationFactor)
            {
                return ApiError.InvalidArgument($"replicationFactor must be 1 to {MaxReplicationFactor}");
            }

            if (!names.Add(name))
            {
                return ApiError.InvalidArgument($"channel '{name}' is asked for twice");
            }

            if (state.Channels.TryGetValue(name, out var known) && known.TopicId != topicId)
            {
                return ApiError.Conflict($"There is a channel '{name}' already, and it is {Owner(known.TopicId)}, not {Owner(topicId)}: take another name.");
            }
        }

        return null;
    }

    private static string Owner(long? topicId) => topicId is { } id ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"a partition of topic {id}") : "no topic's";

    private static ChannelState Unled(int copies, int index) => new(Leader: null, Term: 0, copies, [], index);

    private static InitializedChannels Create(ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, LeaderPolicy policy) =>
        wanting.Count == 0 ? new InitializedChannels(state, []) : new InitializedChannels(Place(state, wanting, policy) with { Version = state.Version + 1 }, [.. wanting.Select(c => c.Key)]);

    private static ClusterState Place(ClusterState state, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting, LeaderPolicy policy)
    {
        var nodes = Placement.Eligible(state);
        var owners = Owners(state, nodes, wanting);
        var leaders = nodes.Count == 0 ? [] : Leaders(state, nodes, owners, policy);
        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        foreach (var ((name, channel), i) in wanting.Select((c, i) => (c, i)))
        {
            channels[name] = leaders.Count == 0
                ? channel
                : Placement.Lead(channel, leaders[i]) with { Replicas = [.. owners[i].Where(n => !string.Equals(n, leaders[i], StringComparison.Ordinal)).Select(ReplicaSpread.Fresh)] };
        }

        return state with { Channels = channels };
    }

    // Among the owners that are chosen by then: a leader that prefers the coordinator must not draw the copies there too.
    private static List<string> Leaders(ClusterState state, IReadOnlyList<string> nodes, List<string[]> owners, LeaderPolicy policy)
    {
        // The coordinator comes last among equals, as it does where copies go.
        var coordinator = MetadataChannel.LeaderIn(state)?.NodeId;
        string[] inOrder = [.. nodes.OrderBy(n => string.Equals(n, coordinator, StringComparison.Ordinal))];
        var led = state.PChannels.Select(c => c.Value.Leader).OfType<string>().CountBy(l => l, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        var chosen = LeaderBalance.Choose(
            [.. inOrder.Select(n => led.GetValueOrDefault(n))],
            [.. owners.Select(o => policy == LeaderPolicy.PreferCoordinator && coordinator is not null && o.Contains(coordinator, StringComparer.Ordinal) ? [coordinator] : o)
                .Select(o => o.Select(n => Array.IndexOf(inOrder, n)).Order().ToArray())]);
        return [.. chosen.Select(n => inOrder[n])];
    }

    // Per channel its owners. One after the other, since each counts for the next: that spreads a topic's partitions.
    private static List<string[]> Owners(ClusterState state, IReadOnlyList<string> nodes, IReadOnlyList<KeyValuePair<string, ChannelState>> wanting)
    {
        var spread = new ReplicaSpread(state, nodes);

        // Nodes that are being drained serve where nobody else is left; they are given nothing beyond that.
        var most = Math.Max(1, Placement.Candidates(state).Count);
        return [.. wanting.Select(c => Owners(spread, Math.Min(c.Value.ReplicationFactor, most)))];
    }

    private static string[] Owners(ReplicaSpread spread, int copies)
    {
        var owners = new List<string>();
        while (owners.Count < copies && spread.Next(owners, owners) is { } next)
        {
            owners.Add(next);
        }

        return [.. owners];
    }
}
