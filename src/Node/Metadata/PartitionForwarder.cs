using System.Net;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Edge.Producers;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Replication;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>
/// Appends to partitions of topics at a node that does not lead them: they are sent on to the leader, one hop, so that a client may append at any node. The first append to a topic that does not exist
/// creates it (<c>Metadata:AutoCreateTopics</c>), by the same command as everybody else's; of many that come at once, through whichever nodes, one creates it and all are appended.
/// Channels that are no topic's are not sent on: their clients follow the leader by the answers, or use a gateway.
/// </summary>
internal sealed class PartitionForwarder(
    [FromKeyedServices(NodeApplication.PeerHttp)] HttpClient http,
    MetadataCopy copy,
    MetadataForwarder metadata,
    MetadataWriter writer,
    ForwardStamps stamps,
    ChannelTable channels,
    MetadataFollower follower,
    LeaderHints hints,
    PeerReports reports,
    EarlyBeat early,
    HeardStanding heard,
    IOptions<NodeSettings> node,
    IOptions<ClusterSettings> cluster,
    IOptions<MetadataSettings> settings,
    TimeProvider time)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(50);

    /// <summary>A leader that hangs is given up after it: the stamp makes it safe to ask the next one.</summary>
    private static readonly TimeSpan LongestAttempt = TimeSpan.FromSeconds(2);

    /// <summary>Whether an append to <paramref name="channel"/>, which is not led here, is to be sent on, or creates a topic.</summary>
    public bool Takes(HttpRequest request, string channel) =>
        !ForwardedRequest.IsForwarded(request) && (copy.State.FindPartition(channel) is not null || MayCreate(channel, out _, out _));

    /// <summary>Whether an append to <paramref name="channel"/>, which is led here, is to be sent on where the leadership turns out to have ended.</summary>
    public bool MaySendOn(HttpRequest request, string channel) => !ForwardedRequest.IsForwarded(request) && copy.State.FindPartition(channel) is not null;

    /// <summary>Answers the append.</summary>
    /// <param name="channel">The partition's channel.</param>
    /// <param name="request">The append.</param>
    /// <param name="hereAsync">Answers it where this node turns out to lead the channel. Is given the stamp of this node's own that an earlier attempt had, at another leader, who may have carried it out.</param>
    /// <param name="aborted">The client has gone.</param>
    /// <exception cref="ApiException">NotFound: there is no such partition, nor can there be one. Unavailable: no leader answered in time.</exception>
    public async Task<IResult> AppendAsync(string channel, ForwardedRequest request, Func<string?, Task<IResult>> hereAsync, CancellationToken aborted)
    {
        var limit = new TimeLimit(TimeSpan.FromMilliseconds(settings.Value.ForwardTimeoutMs), time);
        if (copy.State.FindPartition(channel) is null)
        {
            await CreateAsync(channel, limit, aborted);
        }

        Lane? lane = null;
        LeaderHint? named = null;
        var reason = "it has no leader yet";
        try
        {
            while (true)
            {
                var moved = copy.Moved;
                if (channels.Find(channel) is not null)
                {
                    try
                    {
                        return await hereAsync(lane?.Stamp);
                    }
                    catch (ApiException e) when (e.Error.Code == ApiErrorCode.NotLeader)
                    {
                        (reason, named) = (e.Message, null);
                    }
                }
                else if (LeaderOf(channel, named) is { } to)
                {
                    named = null;
                    if (string.Equals(to.NodeId, node.Value.Id, StringComparison.Ordinal))
                    {
                        early.Ask();
                        await channels.WaitForTermAsync(channel, to.Term, aborted);
                        reason = "this node is about to open it";
                    }
                    else
                    {
                        lane ??= request.NeedsStamp ? await stamps.TakeAsync(limit, aborted) : null;
                        (var answer, named, reason) = await SendAsync(channel, request, to, lane?.Stamp, limit, aborted);
                        if (answer is not null)
                        {
                            return answer;
                        }
                    }
                }

                if (limit.Left <= TimeSpan.Zero)
                {
                    throw new ApiException(ApiErrorCode.Unavailable, $"channel {channel} has had no leader that answers for {settings.Value.ForwardTimeoutMs} ms (Metadata:ForwardTimeoutMs): {reason}; what was sent may have been done") { RetryAfterSeconds = 1 };
                }

                if (named is null && channels.Find(channel) is null)
                {
                    await Task.WhenAny(moved, Task.Delay(RetryPause, time, aborted));
                    aborted.ThrowIfCancellationRequested();
                }
            }
        }
        finally
        {
            lane?.Dispose();
        }
    }

    private bool MayCreate(string channel, out string topic, out int partition) =>
        PartitionChannels.TryParse(channel, out topic!, out partition) && settings.Value.AutoCreateTopics && partition < settings.Value.DefaultPartitions;

    private async Task CreateAsync(string channel, TimeLimit limit, CancellationToken aborted)
    {
        if (!MayCreate(channel, out var topic, out _))
        {
            throw new ApiException(ApiErrorCode.NotFound, $"there is no channel {channel}");
        }

        // A copy that is not there yet does not know what was deleted.
        if (channels.Find(MetadataChannel.Name) is null && (!follower.IsRecovered || follower.Problem is not null || heard.Now is null))
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"whether topic {topic} may be created by an append cannot be told: this node has no catalogue yet") { RetryAfterSeconds = 1 };
        }

        if (copy.State.NextGeneration(topic) != 1)
        {
            throw new ApiException(ApiErrorCode.NotFound, $"there is no channel {channel}: topic {topic} was deleted; create it again by a CreateTopic command, which answers the channels of its partitions");
        }

        // A channel that no configuration names takes no appends there.
        if (heard.Now is { Replicates: true })
        {
            throw new ApiException(
                ApiErrorCode.NotFound, $"there is no channel {channel}, and while clusters replicate no append creates topic {topic}: create it on every cluster, then send a configuration that names its channels");
        }

        // What this node knows of the route may be old, or nothing yet.
        if (await hints.IsThereAsync(channel, aborted))
        {
            // Another's first append, or creation, was sooner, and this copy hears of it in a moment; or it is no topic's.
            if (await copy.WaitAsync(s => s.FindPartition(channel) is not null, TimeSpan.FromMilliseconds(settings.Value.ReadWaitMs), aborted))
            {
                return;
            }

            throw new ApiException(ApiErrorCode.NotLeader, $"this node does not lead channel {channel}") { Leader = hints.Find(channel) };
        }

        var create = JsonSerializer.SerializeToUtf8Bytes(new MetadataCommandsRequest([new CreateTopic(topic)]), BatonJson.Options);
        var request = new ForwardedRequest(HttpMethod.Post, "/metadata/commands", $"Bearer {cluster.Value.Secret}", "application/json", create);
        var result = await metadata.AnswerAsync(request, (led, _) => CreateHereAsync(led, topic, aborted), aborted);

        // Who came first has created it; for all the others that is a conflict, and as good.
        if (result is ForwardedAnswer { Status: not (StatusCodes.Status200OK or StatusCodes.Status409Conflict) } refused)
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"topic {topic} cannot be created at the moment: its leader answered {refused.Status}") { RetryAfterSeconds = 1 };
        }

        if (!await copy.WaitAsync(s => s.Topics.ContainsKey(topic) && !s.UnassignedTopics.Contains(topic), limit.Left, aborted))
        {
            var why = copy.State.Topics.ContainsKey(topic) ? "is created, but its partitions have no leaders yet: ask again" : "is not there yet: ask again, or create it by a CreateTopic command, whose answer says what is in its way";
            throw new ApiException(ApiErrorCode.Unavailable, $"topic {topic} {why}") { RetryAfterSeconds = 1 };
        }

        if (copy.State.FindPartition(channel) is null)
        {
            throw new ApiException(ApiErrorCode.NotFound, $"topic {topic} has no partition on channel {channel}");
        }
    }

    private async Task<IResult> CreateHereAsync(LedChannel led, string topic, CancellationToken aborted)
    {
        try
        {
            return Results.Json(await writer.WriteAsync(led, [new CreateTopic(topic)], producer: null, aborted), BatonJson.Options);
        }
        catch (ApiException e) when (e.Error.Code == ApiErrorCode.Conflict)
        {
            return new ForwardedAnswer(StatusCodes.Status409Conflict, null, null, []);
        }
    }

    // Whoever says the highest term: the node that was asked last, the route, or the catalogue, which is what a new topic's leaders are known by first.
    private LeaderHint? LeaderOf(string channel, LeaderHint? named)
    {
        var state = copy.State;
        var best = named;
        if (hints.Find(channel) is { } hint && hint.Term > (best?.Term ?? 0))
        {
            best = hint;
        }

        return state.FindPartition(channel) is var (topic, partition) && topic.Partitions.TryGetValue(partition, out var known)
            && known.Leader is { } leader && known.Term > (best?.Term ?? 0) && state.Nodes.TryGetValue(leader, out var at)
            ? new LeaderHint(leader, at.Endpoint, known.Term)
            : best;
    }

    private async Task<(IResult? Answer, LeaderHint? Named, string Reason)> SendAsync(string channel, ForwardedRequest request, LeaderHint to, string? stamp, TimeLimit limit, CancellationToken aborted)
    {
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        attempt.CancelAfter(limit.Left < LongestAttempt ? limit.Left : LongestAttempt);
        try
        {
            using var message = request.To(to, node.Value.Id, stamp);
            using var response = await http.SendAsync(message, attempt.Token);
            var answer = await ForwardedAnswer.ReadAsync(response, attempt.Token);
            return response.StatusCode switch
            {
                HttpStatusCode.MisdirectedRequest => (null, LeaderIn(answer) is { } leader && leader.Term > to.Term ? leader : null, $"node {to.NodeId} does not lead it"),
                HttpStatusCode.ServiceUnavailable when limit.Left > RetryPause * 2 => (null, null, $"node {to.NodeId} cannot answer at the moment"),
                _ => (answer, null, ""),
            };
        }
        catch (HttpRequestException e)
        {
            reports.Unreachable(channel, to, e.Message);
            return (null, null, $"node {to.NodeId} cannot be reached");
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            return (null, null, $"node {to.NodeId} gave no answer");
        }
    }

    private static LeaderHint? LeaderIn(ForwardedAnswer answer)
    {
        try
        {
            return JsonSerializer.Deserialize<Problem>(answer.Body.Span, BatonJson.Options)?.Leader;
        }
        catch (JsonException)
        {
            // Not a node's answer: whoever stands before it knows no leader.
            return null;
        }
    }
}
