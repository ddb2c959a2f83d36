using System.Collections.Concurrent;
using System.Globalization;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>Clients of one cluster's catalogue: every other one through the gateway, the rest straight to the nodes in turn.</summary>
public sealed class MetadataLoad : IAsyncDisposable
{
    private readonly LocalCluster _cluster;
    private readonly ClientsUnderWay _clients;
    private readonly ConcurrentQueue<RecordedCommands> _requests = new();

    private MetadataLoad(LocalCluster cluster, string name, int clients, int seed, int longestPauseMs, CancellationToken cancellationToken)
    {
        _cluster = cluster;
        _clients = new ClientsUnderWay(cancellationToken);
        for (var i = 0; i < clients; i++)
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"{name}-c{i}");
            var sender = new AnyNodeSender(cluster, Counts, id, i % 2 == 0 ? null : i / 2 % cluster.NodeCount);
            _clients.Start(id, new MetadataClient(sender, _requests.Enqueue, Counts, Acknowledgements, new ClientPace(unchecked((seed * 31) + i), longestPauseMs), id).RunAsync);
        }
    }

    /// <summary>The requests that are over, those of one client in order.</summary>
    public IReadOnlyCollection<RecordedCommands> Requests => _requests;

    /// <summary>What went wrong for the clients.</summary>
    public SendCounts Counts { get; } = new();

    /// <summary>When requests were acknowledged, at which term.</summary>
    public Acknowledgements Acknowledgements { get; } = new();

    /// <summary>Starts the clients.</summary>
    /// <param name="cluster">A cluster with a gateway.</param>
    /// <param name="name">Begins all their names: one that no other load on this catalogue has.</param>
    /// <param name="clients">How many.</param>
    /// <param name="seed">What they do is drawn from it.</param>
    /// <param name="longestPauseMs">Pauses between one client's requests are drawn from 0 to below this (milliseconds).</param>
    /// <param name="cancellationToken">Ends them too.</param>
    public static MetadataLoad Start(LocalCluster cluster, string name, int clients, int seed, int longestPauseMs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return new(cluster, name, clients, seed, longestPauseMs, cancellationToken);
    }

    /// <summary>Waits until every client has had so many more requests acknowledged than it has now.</summary>
    /// <exception cref="TimeoutException">They have not within <paramref name="timeout"/>; the message holds the first error that a client saw.</exception>
    public Task MoreAsync(int requests, TimeSpan timeout, CancellationToken cancellationToken) => _clients.MoreAsync(requests, Acknowledgements, Counts, timeout, cancellationToken);

    /// <summary>Lets the clients finish what they have under way.</summary>
    public Task FinishAsync(TimeSpan timeout) => _clients.FinishAsync(timeout);

    /// <summary>
    /// Once the clients have finished: all copies are alike, they are what the clients were told, and each acknowledged command is in the log once, where it was acknowledged.
    /// </summary>
    /// <param name="catalogue">The catalogue, which remembers the copies' hashes.</param>
    /// <param name="timeout">How long the copies may take to become alike.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What is wrong: the errors that the clients saw included.</returns>
    public async Task<IReadOnlyList<string>> FindingsAsync(Catalogue catalogue, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(catalogue);
        var findings = new List<string>(Counts.Errors.Select(e => $"client error: {e}"));
        if (await catalogue.ConvergedAsync(timeout, cancellationToken) is { } differing)
        {
            findings.Add(differing);
        }

        findings.AddRange(MetadataLogCheck.Check(Requests, await MetadataLogCheck.ReadAsync(_cluster, cancellationToken)));
        var node = (await catalogue.LeaderAsync(timeout, cancellationToken)).Node;
        findings.AddRange(MetadataStateCheck.Check(Requests, await catalogue.TopicsAsync(node, local: true, cancellationToken), await catalogue.GroupsAsync(node, local: true, cancellationToken)));
        return findings;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _clients.DisposeAsync();
}
