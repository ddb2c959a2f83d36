using System.Globalization;
using Baton.Core.Api;

namespace Baton.Core.Replication;

/// <summary>
/// Whether a configuration may follow the one in force. The first error wins, and the order of the checks is part of the contract:
/// 1. the configuration as such, 2. each cluster, 3. this cluster, 4. each edge, 5. the shape of the graph, 6. what must not
/// change, 7. what must not change while channels are added.
/// </summary>
public static class ReplicateConfigurationValidator
{
    /// <summary>Null where <paramref name="incoming"/> may become the configuration, else the first error.</summary>
    /// <param name="incoming">The configuration wanted.</param>
    /// <param name="current">The one in force, or null before the first.</param>
    /// <param name="currentClusterId">The cluster that is asked.</param>
    /// <param name="actualPChannels">The channels that this cluster has.</param>
    public static ApiError? Validate(
        ReplicateConfiguration? incoming,
        ReplicateConfiguration? current,
        string currentClusterId,
        IReadOnlyCollection<string> actualPChannels)
    {
        if (incoming is null)
        {
            return ApiError.InvalidArgument("config cannot be nil");
        }

        var clusters = incoming.Clusters ?? [];
        if (clusters.Count == 0)
        {
            return CheckDrop(incoming, current);
        }

        return CheckClusters(clusters)
            ?? CheckSelf(incoming, currentClusterId, actualPChannels)
            ?? CheckEdges(incoming)
            ?? CheckStar(incoming)
            ?? CheckAgainst(current, incoming);
    }

    private static ApiError? CheckDrop(ReplicateConfiguration incoming, ReplicateConfiguration? current)
    {
        var replicates = (current?.Clusters?.Count ?? 0) > 1 || (current?.Edges.Count ?? 0) > 0;
        return replicates
            ? Invalid("config without clusters drops replication: allowed only where no configuration, or one cluster without edges, is in force")
            : CheckEdges(incoming);
    }

    private static ApiError? CheckClusters(IReadOnlyList<ReplicateCluster?> clusters)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var uris = new HashSet<string>(StringComparer.Ordinal);
        var channelCount = clusters[0]?.PChannels?.Count ?? 0;
        for (var i = 0; i < clusters.Count; i++)
        {
            if (CheckCluster(clusters[i], i, uris) is { } error)
            {
                return error;
            }

            var cluster = clusters[i]!;
            if (cluster.PChannels!.Count != channelCount)
            {
                return Invalid($"clusters must have the same number of pchannels: cluster {cluster.ClusterId} has {cluster.PChannels.Count}, cluster {clusters[0]!.ClusterId} has {channelCount}");
            }

            if (!ids.Add(cluster.ClusterId!))
            {
                return Invalid($"clusters[{i}]: clusterId {cluster.ClusterId} is used twice");
            }
        }

        return null;
    }

    private static ApiError? CheckCluster(ReplicateCluster? cluster, int index, HashSet<string> uris)
    {
        if (cluster is null)
        {
            return Invalid($"clusters[{index}] cannot be nil");
        }

        if (CheckClusterId(cluster.ClusterId, index) is { } idError)
        {
            return idError;
        }

        if (string.IsNullOrEmpty(cluster.Uri))
        {
            return Invalid($"cluster {cluster.ClusterId}: uri cannot be empty");
        }

        if (!IsAddress(cluster.Uri))
        {
            return Invalid($"cluster {cluster.ClusterId}: uri must be an absolute URI or host:port");
        }

        return uris.Add(cluster.Uri)
            ? CheckPChannels(cluster)
            : Invalid($"cluster {cluster.ClusterId}: uri {cluster.Uri} is used twice");
    }

    private static ApiError? CheckClusterId(string? id, int index)
    {
        if (string.IsNullOrEmpty(id))
        {
            return Invalid($"clusters[{index}]: clusterId cannot be empty");
        }

        if (id.Any(char.IsWhiteSpace))
        {
            return Invalid($"clusters[{index}]: clusterId cannot contain whitespace");
        }

        return Names.IsValidId(id) ? null : Invalid($"clusters[{index}]: clusterId must match [a-z0-9][a-z0-9._-]{{0,62}}");
    }

    private static ApiError? CheckPChannels(ReplicateCluster cluster)
    {
        if (cluster.PChannels is not { Count: > 0 } channels)
        {
            return Invalid($"cluster {cluster.ClusterId}: pchannels cannot be empty");
        }

        if (channels.Any(string.IsNullOrEmpty))
        {
            return Invalid($"cluster {cluster.ClusterId}: a pchannel cannot be empty");
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        if (channels.FirstOrDefault(c => !seen.Add(c!)) is { } twice)
        {
            return Invalid($"cluster {cluster.ClusterId}: pchannel {twice} is listed twice");
        }

        return channels.FirstOrDefault(c => !VChannels.IsValidChannel(c)) is null
            ? null
            : Invalid($"cluster {cluster.ClusterId}: a pchannel must match [a-z0-9][a-z0-9._-]{{0,62}} and cannot contain _v");
    }

    private static ApiError? CheckSelf(ReplicateConfiguration incoming, string currentClusterId, IReadOnlyCollection<string> actual)
    {
        if (incoming.Find(currentClusterId) is not { } self)
        {
            return Invalid($"current cluster {currentClusterId} must be one of the clusters");
        }

        var asked = self.PChannels!.Select(c => c!).ToHashSet(StringComparer.Ordinal);
        return asked.SetEquals(actual)
            ? null
            : Invalid($"cluster {currentClusterId}: pchannels [{List(asked)}] are not the cluster's own [{List(actual)}]");
    }

    private static ApiError? CheckEdges(ReplicateConfiguration incoming)
    {
        var seen = new HashSet<ReplicateEdge>();
        for (var i = 0; i < incoming.Edges.Count; i++)
        {
            var edge = incoming.Edges[i];
            if (edge is null)
            {
                return Invalid($"edges[{i}] cannot be nil");
            }

            if (incoming.Find(edge.Source) is null)
            {
                return Invalid($"edges[{i}]: source {edge.Source} is not one of the clusters");
            }

            if (incoming.Find(edge.Target) is null)
            {
                return Invalid($"edges[{i}]: target {edge.Target} is not one of the clusters");
            }

            if (string.Equals(edge.Source, edge.Target, StringComparison.Ordinal))
            {
                return Invalid($"edges[{i}]: cluster {edge.Source} cannot replicate to itself");
            }

            if (!seen.Add(edge))
            {
                return Invalid($"edges[{i}]: edge {edge.Source}->{edge.Target} is listed twice");
            }
        }

        return null;
    }

    // Edges are distinct, known and not to themselves by now: one source in all, and one edge to each other cluster, is the star.
    private static ApiError? CheckStar(ReplicateConfiguration incoming)
    {
        var others = incoming.Clusters!.Count - 1;
        var sources = incoming.Edges.Select(e => e!.Source).Distinct(StringComparer.Ordinal).Count();
        return others == 0 || (sources == 1 && incoming.Edges.Count == others)
            ? null
            : Invalid($"topology must be a star: one source with an edge to each of the other {others} clusters, and no other edge");
    }

    private static ApiError? CheckAgainst(ReplicateConfiguration? current, ReplicateConfiguration incoming)
    {
        var grows = false;
        foreach (var cluster in incoming.Clusters!)
        {
            if (current?.Find(cluster!.ClusterId) is not { } before)
            {
                continue;
            }

            if (CheckChange(before, cluster!) is { } error)
            {
                return error;
            }

            grows |= cluster!.PChannels!.Count > before.PChannels!.Count;
        }

        return grows ? CheckGrowth(current!, incoming) : null;
    }

    private static ApiError? CheckChange(ReplicateCluster before, ReplicateCluster after)
    {
        var (old, now) = (before.PChannels ?? [], after.PChannels!);
        if (now.Count < old.Count)
        {
            return Invalid($"cluster {after.ClusterId}: pchannels cannot shrink from {old.Count} to {now.Count}");
        }

        for (var i = 0; i < old.Count; i++)
        {
            if (!string.Equals(old[i], now[i], StringComparison.Ordinal))
            {
                return Invalid($"cluster {after.ClusterId}: pchannel {old[i]} must keep position {i.ToString(CultureInfo.InvariantCulture)}; new pchannels are appended");
            }
        }

        if (!string.Equals(before.Uri, after.Uri, StringComparison.Ordinal))
        {
            return Invalid($"cluster {after.ClusterId}: uri cannot change");
        }

        return string.Equals(before.Token ?? "", after.Token ?? "", StringComparison.Ordinal) ? null : Invalid($"cluster {after.ClusterId}: token cannot change");
    }

    private static ApiError? CheckGrowth(ReplicateConfiguration current, ReplicateConfiguration incoming)
    {
        var ids = incoming.Clusters!.Select(c => c!.ClusterId).ToHashSet(StringComparer.Ordinal);
        if (!ids.SetEquals(current.Clusters!.Select(c => c!.ClusterId)))
        {
            return Invalid("clusters cannot be added or removed in the update that adds pchannels");
        }

        return incoming.Edges.ToHashSet().SetEquals(current.Edges) ? null : Invalid("edges cannot change in the update that adds pchannels");
    }

    private static bool IsAddress(string text)
    {
        if (text.Any(char.IsWhiteSpace))
        {
            return false;
        }

        if (text.Contains("://", StringComparison.Ordinal))
        {
            return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Host.Length > 0;
        }

        // "localhost:19530" would parse as a URI of scheme "localhost".
        var colon = text.LastIndexOf(':');
        return colon > 0
            && Uri.CheckHostName(text[..colon].Trim('[', ']')) != UriHostNameType.Unknown
            && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port > 0;
    }

    private static string List(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));

    private static ApiError Invalid(string detail) => ApiError.InvalidArgument(detail);
}
