using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Channels;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Topology;

namespace Baton.Functions.Topics;

/// <summary>
/// <c>POST /api/topics/channels</c>: the leader of the metadata asks for the channels of a topic's partitions. One conditional write creates all that are not there, then their leaders are told.
/// A crash before the write: nothing has happened, and the asker, which got no answer, asks again. After it: the same request answers the same channels and tells their leaders again, and
/// whoever is not told learns it from its next heartbeat.
/// </summary>
internal sealed class TopicChannelsCreate(ClusterStateStore states, OpenHints hints, PlacementOptions placement)
{
    /// <summary>Creates the channels.</summary>
    [Function("TopicChannelsCreate")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "topics/channels")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync<CreateTopicChannelsRequest>(request, TopicRequests.MaxBodyBytes, cancellationToken);
        TopicRequests.Check(body);
        var state = await states.UpdateAsync(s => TopicRequests.StateOf(TopicChannels.Create(s, body, placement.LeaderPolicy)), cancellationToken);

        await hints.SendAsync(state, body.Channels.Select(c => new LeaderMove(c.Name, From: null, state.Channels[c.Name].Leader, state.Channels[c.Name].Term)), cancellationToken);
        return Results.Json(new TopicChannelsResponse(state.Version, [.. body.Channels.Select(c => ChannelViews.Of(c.Name, state.Channels[c.Name]))]), BatonJson.Options);
    }
}
