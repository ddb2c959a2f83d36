using System.Globalization;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Metadata;

namespace Baton.Bench.Metadata;

/// <summary>What the measured commands are about: one topic, and a group for each client.</summary>
/// <param name="Groups">The groups' ids.</param>
internal sealed record CatalogueContent(IReadOnlyList<string> Groups)
{
    public const string Topic = "measured";
    public const int Clients = 64;

    public static async Task<CatalogueContent> CreateAsync(DelayedCluster cluster, int leader, CancellationToken cancellationToken)
    {
        var groups = Enumerable.Range(0, Clients).Select(i => string.Create(CultureInfo.InvariantCulture, $"client-{i}")).ToList();
        using var client = cluster.Client(leader);
        await client.SendAsync(client.Request("POST", "/metadata/commands", Catalogue.Body([new CreateTopic(Topic, 1, 1), .. groups.Select(g => new CreateConsumerGroup(g))])), cancellationToken);
        return new CatalogueContent(groups);
    }
}
