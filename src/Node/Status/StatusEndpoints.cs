using Baton.Core.Api;
using Baton.Edge.Metrics;
using Baton.Node.Access;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Metadata;
using Baton.Node.Replicas;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Status;

/// <summary>What a node says of itself.</summary>
/// <param name="Status">ok while the process serves.</param>
/// <param name="NodeId">Who it is.</param>
/// <param name="ClusterId">Its cluster.</param>
/// <param name="Incarnation">What the control plane knows it by; 0 while it has not joined. Serving does not need the control plane, so this makes nobody unhealthy.</param>
/// <param name="ChannelsLed">How many channels it leads.</param>
internal sealed record NodeHealth(string Status, string NodeId, string ClusterId, long Incarnation, int ChannelsLed);

/// <summary>Looking at a node changes nothing.</summary>
internal static class StatusEndpoints
{
    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health", Health).Takes(Caller.Anyone);
        routes.MapGet("/metrics", Metrics).Takes(Caller.Client);
        routes.MapGet("/channels/{channel}/status", StatusAsync).Takes(Caller.Client);
    }

    private static IResult Health(IOptions<NodeSettings> node, IOptions<ClusterSettings> cluster, Membership membership, ChannelTable channels) =>
        Results.Json(new NodeHealth("ok", node.Value.Id, cluster.Value.Id, membership.Incarnation, channels.Held().Count), BatonJson.Options);

    private static IResult Metrics(NodeMetrics metrics, MetadataMetrics metadata, ChannelTable channels, ReplicaTable replicas, Membership membership) =>
        Results.Text(metrics.Print(channels, replicas, membership.Incarnation, metadata), MetricText.MediaType);

    private static async Task<IResult> StatusAsync(string channel, ChannelTable channels, ReplicaTable replicas)
    {
        ChannelNames.CheckAny(channel);
        var status = channels.Find(channel) is { } led ? await led.StatusAsync() : replicas.Find(channel)?.Status() ?? LedChannel.NotLed(channel);
        return Results.Json(status, BatonJson.Options);
    }
}
