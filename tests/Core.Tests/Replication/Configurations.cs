using Baton.Core.Replication;

namespace Baton.Core.Tests.Replication;

/// <summary>Short ways to write configurations: clusters c1 and c2 with channels ch1 and ch2, c1 replicating to c2.</summary>
internal static class Configurations
{
    public static ReplicateConfiguration Base { get; } = Of([C1("ch1", "ch2"), C2("ch1", "ch2")], ("c1", "c2"));

    public static ReplicateCluster C1(params string?[] channels) => Named("c1", channels);

    public static ReplicateCluster C2(params string?[] channels) => Named("c2", channels);

    public static ReplicateCluster Named(string? id, params string?[] channels) => new(id, $"http://{id?.Replace(" ", "", StringComparison.Ordinal)}.example:19530", channels);

    public static ReplicateConfiguration Of(ReplicateCluster?[] clusters, params (string Source, string Target)[] edges) =>
        new(clusters, new ReplicateTopology([.. edges.Select(e => new ReplicateEdge(e.Source, e.Target))]));
}
