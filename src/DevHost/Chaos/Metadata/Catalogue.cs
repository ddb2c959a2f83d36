using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>The catalogue of one cluster, read over HTTP from each of its nodes.</summary>
public sealed class Catalogue(LocalCluster cluster)
{
    /// <summary>Role of the node that leads <c>__metadata</c>.</summary>
    public const string Leader = "leader";

    private readonly ConcurrentDictionary<long, (string Hash, string NodeId)> _hashes = new();

    /// <summary>A node's own copy; null where the node gives no answer.</summary>
    public async Task<MetadataStatus?> StatusAsync(int node, bool hash, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await cluster.Client.NodeAsync<MetadataStatus>(cluster.NodeAddress(node), HttpMethod.Get, hash ? "metadata/status?hash=true" : "metadata/status", null, false, cancellationToken);
            return answer.Status == 200 ? answer.Body : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>The node that leads by its own account, at the highest term of those that do.</summary>
    /// <exception cref="TimeoutException">None does within <paramref name="timeout"/>.</exception>
    public async Task<(int Node, MetadataStatus Status)> LeaderAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        MetadataStatus? leader = null;
        await ClusterClient.UntilAsync(
            "a node leads the metadata",
            async () => (leader = (await StatusesAsync(hash: false, cancellationToken)).Where(s => s.Role == Leader).MaxBy(s => s.Term)) is not null,
            timeout,
            cancellationToken);
        return (cluster.NodeIndex(leader!.NodeId), leader);
    }

    /// <summary>The copies of all running nodes that answer.</summary>
    public async Task<IReadOnlyList<MetadataStatus>> StatusesAsync(bool hash, CancellationToken cancellationToken)
    {
        var statuses = await Task.WhenAll(cluster.RunningNodes.Select(i => StatusAsync(i, hash, cancellationToken)));
        return [.. statuses.OfType<MetadataStatus>()];
    }

    /// <summary>
    /// Looks at every copy, whatever is under way: two of the same LSN, now or at any look before, must have the same hash.
    /// </summary>
    /// <returns>What is wrong, or null.</returns>
    public async Task<string?> CompareAsync(CancellationToken cancellationToken) => Differing(await StatusesAsync(hash: true, cancellationToken));

    /// <summary>Once nobody writes: waits until every running node's copy is of one LSN, and compares them.</summary>
    /// <returns>What is wrong, or null.</returns>
    public async Task<string?> ConvergedAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        IReadOnlyList<MetadataStatus> last = [];
        string? differing = null;
        try
        {
            await ClusterClient.UntilAsync(
                "all copies are of one LSN",
                async () =>
                {
                    last = await StatusesAsync(hash: true, cancellationToken);
                    differing = Differing(last);
                    return differing is not null || (last.Count == cluster.RunningNodes.Count && last.Select(s => s.Lsn).Distinct().Count() == 1 && last.All(s => s is { Hash: not null, Problem: null }));
                },
                timeout,
                cancellationToken);
            return differing;
        }
        catch (TimeoutException)
        {
            return $"the copies have not become alike in {timeout.TotalSeconds:0} s: {Text(last)}";
        }
    }

    /// <summary>Every topic, page by page.</summary>
    /// <param name="node">Which node is asked.</param>
    /// <param name="local">Its own copy, and not the leader's.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<IReadOnlyList<TopicView>> TopicsAsync(int node, bool local, CancellationToken cancellationToken) => AllAsync(node, "topics", local, a => a.Topics!, t => t.Name, cancellationToken);

    /// <summary>Every group with its offsets, which lists leave out.</summary>
    public async Task<IReadOnlyList<GroupView>> GroupsAsync(int node, bool local, CancellationToken cancellationToken)
    {
        var groups = new List<GroupView>();
        foreach (var group in await AllAsync(node, "groups", local, a => a.Groups!, g => g.GroupId, cancellationToken))
        {
            groups.Add((await ReadAsync(node, $"metadata/groups/{group.GroupId}{(local ? "?local=true" : "")}", cancellationToken)).Group!);
        }

        return groups;
    }

    /// <summary>A read, which must succeed.</summary>
    /// <exception cref="ApiAnswerException">It does not.</exception>
    public async Task<MetadataAnswer> ReadAsync(int node, string path, CancellationToken cancellationToken) =>
        (await cluster.Client.NodeAsync<MetadataAnswer>(cluster.NodeAddress(node), HttpMethod.Get, path, null, false, cancellationToken)).Value;

    /// <summary>Commands as a request's body.</summary>
    public static byte[] Body(params IReadOnlyList<MetadataCommand> commands) => JsonSerializer.SerializeToUtf8Bytes(new MetadataCommandsRequest(commands), BatonJson.Options);

    /// <summary>Sends commands once, without a stamp.</summary>
    public Task<ApiAnswer<MetadataCommandsResponse>> CommandAsync(Uri to, CancellationToken cancellationToken, params IReadOnlyList<MetadataCommand> commands) =>
        cluster.Client.NodeAsync<MetadataCommandsResponse>(to, HttpMethod.Post, "metadata/commands", ClusterClient.Json(new MetadataCommandsRequest(commands)), false, cancellationToken);

    private async Task<IReadOnlyList<T>> AllAsync<T>(int node, string what, bool local, Func<MetadataAnswer, IReadOnlyList<T>> page, Func<T, string> name, CancellationToken cancellationToken)
    {
        const int max = 1_000;
        var all = new List<T>();
        while (true)
        {
            var after = all.Count == 0 ? "" : $"&after={Uri.EscapeDataString(name(all[^1]))}";
            var some = page(await ReadAsync(node, string.Create(CultureInfo.InvariantCulture, $"metadata/{what}?max={max}&local={(local ? "true" : "false")}{after}"), cancellationToken));
            all.AddRange(some);
            if (some.Count < max)
            {
                return all;
            }
        }
    }

    private string? Differing(IReadOnlyList<MetadataStatus> statuses)
    {
        foreach (var status in statuses.Where(s => s.Hash is not null))
        {
            var (hash, nodeId) = _hashes.GetOrAdd(status.Lsn, _ => (status.Hash!, status.NodeId));
            if (hash != status.Hash)
            {
                return $"at LSN {status.Lsn} the copies differ: {nodeId} has {hash}, {status.NodeId} has {status.Hash}";
            }
        }

        return null;
    }

    private static string Text(IReadOnlyList<MetadataStatus> statuses) => string.Join("; ", statuses.Select(s => $"{s.NodeId} ({s.Role}) is at LSN {s.Lsn}, term {s.Term}, hash {s.Hash}{(s.Problem is { } p ? $", {p}" : "")}"));
}
