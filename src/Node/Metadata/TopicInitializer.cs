using System.Collections.Concurrent;
using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Channels;
using Baton.Node.Leadership;

namespace Baton.Node.Metadata;

/// <summary>
/// Gives the partitions of new topics their channels, on the metadata's leader only. However a topic came to be, by a command, by a first append, or by a leader that died between the two records,
/// this is the way to its first leaders: the control plane places the channels in one conditional write (<c>PartitionInitializer</c> in Core), and what it answers goes into the log.
/// <code>
/// a crash leaves
/// before the call      a topic without places: whoever leads next sees that in its state, and calls
/// after the call       channels that the catalogue does not name yet: called again, the control plane answers the same ones
/// after the record     nothing to do
/// </code>
/// One round is under way at a time, for all topics that wait: many that are created at once cost a few calls together.
/// </summary>
internal sealed class TopicInitializer(ControlPlaneClient controlPlane, MetadataCopy copy, TimeProvider time, ILogger<TopicInitializer> log)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a topic that the control plane refuses is left alone; whoever creates it is told why.</summary>
    private static readonly TimeSpan RefusedFor = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<long, (string Reason, long At)> _refused = new();
    private Task<string?> _round = Task.FromResult<string?>(null);

    /// <summary>Returns when each partition of the topics has its place, or the topic is gone. Whoever gives up waiting leaves the round to go on.</summary>
    /// <param name="led">The log.</param>
    /// <param name="topics">Names of topics that are in the log.</param>
    /// <param name="wait">How long to wait.</param>
    /// <param name="ct">The caller has gone.</param>
    /// <exception cref="ApiException">Unavailable: not in time; the topics are there, and get their places as soon as that can be.</exception>
    public async Task InitializeAsync(LedChannel led, IReadOnlyCollection<string> topics, TimeSpan wait, CancellationToken ct)
    {
        var began = time.GetTimestamp();
        while (topics.Any(t => copy.State.UnassignedTopics.Contains(t)))
        {
            var left = wait - time.GetElapsedTime(began);
            var problem = left > TimeSpan.Zero ? await WithinAsync(led.Ended ? PlacedByNextAsync(topics, left, ct) : Round(led), left, ct) : "no answer in time";
            if (topics.Select(copy.State.Topics.GetValueOrDefault).OfType<TopicState>().FirstOrDefault(t => RefusalOf(t) is not null) is { } refused)
            {
                throw new ApiException(ApiErrorCode.Conflict, $"topic {refused.Name} is created, but its partitions cannot have their channels: {RefusalOf(refused)} Delete the topic, or what is in its way");
            }

            if (problem is not null && time.GetElapsedTime(began) + RetryPause >= wait)
            {
                throw new ApiException(ApiErrorCode.Unavailable, $"topic {topics.First()} is created, but its partitions have no leaders yet ({problem}); they get them as soon as the control plane answers: ask for the topic again")
                {
                    RetryAfterSeconds = 1,
                };
            }

            if (problem is not null)
            {
                await Task.Delay(RetryPause, time, ct);
            }
        }
    }

    /// <summary>Begins a round, if none is under way.</summary>
    public void Begin(LedChannel led) => _ = Round(led);

    // The topics are in the log, so nobody may be told that this node was not the leader: who asked the next one for them would hear that they exist. Whoever leads next gives them their places, and this copy sees that.
    private async Task<string?> PlacedByNextAsync(IReadOnlyCollection<string> topics, TimeSpan left, CancellationToken ct) =>
        await copy.WaitAsync(s => !topics.Any(s.UnassignedTopics.Contains), left, ct) ? null : "the metadata has another leader, which has not given them any";

    private static async Task<string?> WithinAsync(Task<string?> round, TimeSpan left, CancellationToken ct)
    {
        try
        {
            return await round.WaitAsync(left, ct);
        }
        catch (TimeoutException)
        {
            return "no answer in time";
        }
    }

    /// <summary>The round under way, or a new one; answers what went wrong.</summary>
    private Task<string?> Round(LedChannel led)
    {
        lock (_gate)
        {
            if (_round.IsCompleted)
            {
                _round = RunAsync(led);
            }

            return _round;
        }
    }

    private async Task<string?> RunAsync(LedChannel led)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var wanted = Wanted();
            try
            {
                await PlaceAsync(led, wanted);
            }
            catch (ControlPlaneException e) when (IsRefusal(e))
            {
                // One topic's channels cannot be, because of their names or for want of room: the others must not wait for it.
                foreach (var one in wanted.GroupBy(w => w.Topic.TopicId))
                {
                    await PlaceOneAsync(led, [.. one]);
                }
            }

            return null;
        }
        catch (ControlPlaneException e)
        {
            log.LogWarning("New topics have no leaders yet: {Reason}", e.Message);
            return e.Status is null ? "the control plane cannot be reached" : e.Message;
        }
        catch (ApiException e)
        {
            // A topic was deleted meanwhile, or the log is not to be written now: the next round sees what is left.
            log.LogInformation("Leaders of new topics were not written: {Reason}", e.Message);
            return e.Message;
        }
        catch (Exception e)
        {
            // Nobody may be waiting for this round, and the next one is begun all the same.
            log.LogError(e, "New topics have no leaders yet");
            return "an unexpected error; the node's log has the details";
        }
    }

    private async Task PlaceOneAsync(LedChannel led, List<(TopicState Topic, int Partition, TopicChannel Channel)> wanted)
    {
        var topic = wanted[0].Topic;
        try
        {
            await PlaceAsync(led, wanted);
            _refused.TryRemove(topic.TopicId, out _);
        }
        catch (ControlPlaneException e) when (IsRefusal(e))
        {
            // A former leader is refused for its term, which says nothing of the topic.
            if ((await controlPlane.RouteAsync(CancellationToken.None)).Channels.GetValueOrDefault(MetadataChannel.Name)?.Term != led.Term)
            {
                return;
            }

            log.LogWarning("Topic {Topic} gets no channels: {Reason}", topic.Name, e.Message);
            _refused[topic.TopicId] = (e.Message, time.GetTimestamp());
        }
    }

    private async Task PlaceAsync(LedChannel led, List<(TopicState Topic, int Partition, TopicChannel Channel)> wanted)
    {
        if (wanted.Count > 0)
        {
            var placed = await controlPlane.CreateTopicChannelsAsync(new CreateTopicChannelsRequest(led.Term, [.. wanted.Select(w => w.Channel)]), CancellationToken.None);
            await led.CommandAsync(Assignments(wanted, placed), producer: null);
        }
    }

    private static bool IsRefusal(ControlPlaneException e) => e.Status is HttpStatusCode.BadRequest or HttpStatusCode.Conflict or HttpStatusCode.RequestEntityTooLarge;

    private string? RefusalOf(TopicState topic) => _refused.TryGetValue(topic.TopicId, out var refused) && time.GetElapsedTime(refused.At) < RefusedFor ? refused.Reason : null;

    private List<(TopicState Topic, int Partition, TopicChannel Channel)> Wanted()
    {
        var state = copy.State;
        foreach (var topicId in _refused.Where(r => time.GetElapsedTime(r.Value.At) >= RefusedFor).Select(r => r.Key))
        {
            _refused.TryRemove(topicId, out _);
        }

        return [.. state.UnassignedTopics
            .Select(name => state.Topics[name])
            .Where(t => RefusalOf(t) is null)
            .OrderBy(t => t.TopicId)
            .SelectMany(t => t.Unassigned.Select(p => (t, p, new TopicChannel(t.ChannelOf(p), t.TopicId, t.ReplicationFactor))))
            .Take(CreateTopicChannelsRequest.MaxChannels)];
    }

    // What was deleted while the control plane worked is left out; its channels are taken out of the cluster again.
    private List<MetadataCommand> Assignments(List<(TopicState Topic, int Partition, TopicChannel Channel)> wanted, TopicChannelsResponse placed)
    {
        var byName = placed.Channels.ToDictionary(c => c.Name, StringComparer.Ordinal);
        var state = copy.State;
        return [.. wanted
            .Where(w => byName.ContainsKey(w.Channel.Name) && state.Topics.GetValueOrDefault(w.Topic.Name)?.TopicId == w.Topic.TopicId)
            .Select(w => CatalogueDifference.Assign(w.Topic, w.Partition, byName[w.Channel.Name]))];
    }
}
