using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.Bench.Failover;

/// <summary>One append after the other, at the leader and through the gateway in turn: what the gateway costs while nothing fails.</summary>
internal sealed class RawAppends
{
    private const int WarmUp = 100;

    public Samples Direct { get; } = new();

    public Samples ThroughGateway { get; } = new();

    public static async Task<RawAppends> MeasureAsync(LocalCluster cluster, int appends, CancellationToken cancellationToken)
    {
        var raw = new RawAppends();
        var channel = cluster.Channels[0];
        var leader = (await cluster.Client.RouteAsync(cancellationToken)).Channels[channel].Endpoint;
        for (var i = 0; i < WarmUp + appends; i++)
        {
            await AppendAsync(leader, i < WarmUp ? new Samples() : raw.Direct);
            await AppendAsync(cluster.Gateway, i < WarmUp ? new Samples() : raw.ThroughGateway);
        }

        return raw;

        Task AppendAsync(Uri to, Samples samples) => samples.TimeAsync(async () => _ = (await cluster.Client.NodeAsync<AppendResponse>(
            to, HttpMethod.Post, $"channels/{channel}/messages", ClusterClient.Json(new AppendRequest([new MessageBody(new byte[256])])), false, cancellationToken)).Value);
    }
}
