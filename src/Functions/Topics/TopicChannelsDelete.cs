using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;
using Baton.Functions.Topology;

namespace Baton.Functions.Topics;

/// <summary>
/// <c>DELETE /api/topics/channels</c>: the leader of the metadata gives up the channels of deleted topics. One conditional write takes them out of the state; their nodes close them at their next
/// heartbeat. Their logs stay. The same again finds nothing to take out.
/// </summary>
internal sealed class TopicChannelsDelete(ClusterStateStore states, ReplicateConfigurationStore configurations, ClusterOptions cluster)
{
    /// <summary>Takes the channels out.</summary>
    [Function("TopicChannelsDelete")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "delete", Route = "topics/channels")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync<DeleteTopicChannelsRequest>(request, TopicRequests.MaxBodyBytes, cancellationToken);
        TopicRequests.Check(body);
        var configuration = (await configurations.ReadAsync(cancellationToken)).Meta.Configuration;
        var replicated = (configuration?.Find(cluster.Id)?.PChannels ?? []).OfType<string>().ToHashSet(StringComparer.Ordinal);

        IReadOnlyList<string> deleted = [];
        var state = await states.UpdateAsync(
            s =>
            {
                var result = TopicChannels.Delete(s, body, replicated);
                deleted = result.Changed;
                return TopicRequests.StateOf(result);
            },
            cancellationToken);
        return Results.Json(new DeletedTopicChannels(state.Version, deleted), BatonJson.Options);
    }
}
