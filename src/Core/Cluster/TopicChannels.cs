using System.Globalization;
using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>What a request for the channels of topics comes to.</summary>
/// <param name="State">The new state, one version higher; the old where nothing is to be written.</param>
/// <param name="Changed">The channels that it created, or took out.</param>
/// <param name="Error">Why it cannot be done; nothing is changed then.</param>
public sealed record TopicChannelsResult(ClusterState State, IReadOnlyList<string> Changed, ApiError? Error = null);

/// <summary>
/// Channels of topics come and go as the leader of the metadata asks for it. It asks at its term, and that term is compared with the state that the answer is made from and written on: a leader
/// that has lost the metadata, and does not know it yet, changes nothing any more once the state says so.
/// </summary>
public static class TopicChannels
{
    /// <summary>The state with all channels that are asked for (<see cref="PartitionInitializer.Initialize"/>).</summary>
    /// <returns>The state; with a 409 where the metadata is at another term, or a name belongs to another topic or to none.</returns>
    public static TopicChannelsResult Create(ClusterState state, CreateTopicChannelsRequest request, LeaderPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (CheckTerm(state, request.MetadataTerm) is { } stale)
        {
            return new TopicChannelsResult(state, [], stale);
        }

        var (after, created, error) = PartitionInitializer.Initialize(state, [.. request.Channels.Select(c => new WantedChannel(c.Name, c.ReplicationFactor, c.TopicId))], policy);
        return new TopicChannelsResult(after, created, error);
    }

    /// <summary>The state without those of the channels that still belong to the topic that is said to own them, and that no cluster replicates. Who had them finds them missing among what it should own, and closes them.</summary>
    /// <param name="state">The state as read.</param>
    /// <param name="request">The request.</param>
    /// <param name="replicated">The channels that the replicate configuration names for this cluster.</param>
    /// <returns>The state; with a 409 where the metadata is at another term.</returns>
    public static TopicChannelsResult Delete(ClusterState state, DeleteTopicChannelsRequest request, IReadOnlySet<string> replicated)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(replicated);
        if (CheckTerm(state, request.MetadataTerm) is { } stale)
        {
            return new TopicChannelsResult(state, [], stale);
        }

        // What clusters replicate stays until a configuration is in force that does not name it; the others need not wait for that.
        var gone = request.Channels.Where(c => state.Channels.TryGetValue(c.Name, out var known) && known.TopicId == c.TopicId && !replicated.Contains(c.Name)).Select(c => c.Name).ToList();
        return gone.Count == 0
            ? new TopicChannelsResult(state, [])
            : new TopicChannelsResult(state with { Version = state.Version + 1, Channels = state.Channels.ExceptBy(gone, c => c.Key, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal) }, gone);
    }

    private static ApiError? CheckTerm(ClusterState state, long term)
    {
        ArgumentNullException.ThrowIfNull(state);
        var known = state.Channels.GetValueOrDefault(MetadataChannel.Name);
        return known?.Term == term ? null
            : known is null ? ApiError.Conflict("The cluster has no metadata: its first node has yet to join.")
            : ApiError.Conflict(string.Create(CultureInfo.InvariantCulture, $"The metadata is led at term {known.Term}, not {term}: only its present leader asks for channels."));
    }
}
