using Baton.Core.Replication;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Replication;

/// <summary>Over configurations made of few names, nulls among them, so that everything that can clash does.</summary>
public sealed class ReplicateConfigurationProperties
{
    private static readonly Gen<string?> Ids = Gen.Elements<string?>("c1", "c2", "c3", "", null, "c 1");
    private static readonly Gen<string?> Uris = Gen.Elements<string?>("http://a:1", "http://b:1", "c:1", "", null, "x y");
    private static readonly Gen<string?> Channels = Gen.Elements<string?>("ch1", "ch2", "ch3", "", null);

    private static readonly Gen<ReplicateCluster?> Clusters =
        from id in Ids
        from uri in Uris
        from channels in Channels.ListOf()
        from missing in Gen.Choose(0, 9)
        select missing == 0 ? null : new ReplicateCluster(id, uri, missing == 1 ? null : [.. channels.Take(3)]);

    private static readonly Gen<ReplicateEdge?> Edges =
        from source in Ids
        from target in Ids
        from missing in Gen.Choose(0, 9)
        select missing == 0 ? null : new ReplicateEdge(source, target);

    private static readonly Gen<ReplicateConfiguration?> Anything =
        from clusters in Clusters.ListOf()
        from edges in Edges.ListOf()
        from missing in Gen.Choose(0, 9)
        select missing switch
        {
            0 => null,
            1 => new ReplicateConfiguration(null, new ReplicateTopology(null)),
            _ => new ReplicateConfiguration([.. clusters.Take(3)], missing == 2 ? null : new ReplicateTopology([.. edges.Take(3)])),
        };

    private static readonly Gen<ReplicateConfiguration> Valid =
        from count in Gen.Choose(1, 4)
        from channels in Gen.Choose(1, 4)
        from centre in Gen.Choose(0, 3)
        select Star(count, channels, centre % count);

    [Fact]
    public void Validator_never_throws() =>
        Prop.ForAll(Anything.Two().ToArbitrary(), pair =>
        {
            _ = ReplicateConfigurationValidator.Validate(pair.Item1, pair.Item2, "c1", ["ch1", "ch2"]);
            return true;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_star_is_valid_and_is_the_same_in_any_order_of_clusters_and_edges() =>
        Prop.ForAll(Valid.ToArbitrary(), config =>
        {
            var reversed = new ReplicateConfiguration([.. config.Clusters!.Reverse()], new ReplicateTopology([.. config.Edges.Reverse()]));
            var actual = config.Find("c0")!.PChannels!.Select(c => c!).ToArray();
            return ReplicateConfigurationValidator.Validate(config, null, "c0", actual) is null
                && ReplicateConfigurationValidator.Validate(reversed, config, "c0", actual) is null
                && ReplicateEquality.Same(config, reversed);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void V34_a_channel_maps_to_its_counterpart_and_back() =>
        Prop.ForAll(Valid.ToArbitrary(), config => config.Clusters!.All(from => config.Clusters!.All(to => from!.PChannels!.All(channel =>
        {
            var there = ChannelMapping.Target(config, from.ClusterId!, to!.ClusterId!, channel!);
            return there is not null && string.Equals(ChannelMapping.Target(config, to.ClusterId!, from.ClusterId!, there), channel, StringComparison.Ordinal);
        })))).QuickCheckThrowOnFailure();

    private static ReplicateConfiguration Star(int count, int channels, int centre) => new(
        [.. Enumerable.Range(0, count).Select(i => new ReplicateCluster($"c{i}", $"http://c{i}:1", [.. Enumerable.Range(0, channels).Select(j => $"c{i}-ch{j}")]))],
        new ReplicateTopology([.. Enumerable.Range(0, count).Where(i => i != centre).Select(i => new ReplicateEdge($"c{centre}", $"c{i}"))]));
}
