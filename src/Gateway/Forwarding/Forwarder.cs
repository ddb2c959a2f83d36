using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Replication;
using Baton.Edge.Producers;
using Baton.Gateway.Producers;
using Baton.Gateway.Reports;
using Baton.Gateway.Routing;
using Baton.Gateway.Settings;
using Baton.Gateway.Status;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Forwarding;

/// <summary>
/// Sends a request to the leader of its channel and holds it while there is none that answers: attempt after attempt, at the pace of <see cref="Turns"/>, each at whom the route names then.
/// </summary>
internal sealed class Forwarder(
    RouteTable routes, Attempts attempts, FailureReports reports, LaneTable lanes, HeldRequests held, Stopping stopping, GatewayMetrics metrics, IOptions<GatewaySettings> settings, TimeProvider time)
{
    /// <summary>How long a channel that the route does not know may be one that was created just now.</summary>
    private static readonly TimeSpan NewsTime = TimeSpan.FromMilliseconds(500);

    /// <summary>Forwards <paramref name="request"/> and passes the answer on.</summary>
    /// <exception cref="ApiException">404 for a channel that does not exist; 429 and 503 where it cannot be held, or was for too long.</exception>
    public async Task ForwardAsync(ForwardedRequest request, HttpResponse response, CancellationToken aborted)
    {
        try
        {
            using var hold = new Hold(held, request.Wait, TimeSpan.FromMilliseconds(settings.Value.HoldMs), stopping, time, aborted);
            using var answer = await AnswerAsync(request, hold, aborted);
            if (hold.HeldFor is { } heldFor)
            {
                metrics.Held(heldFor);
            }

            hold.Dispose();
            await answer.PassOnAsync(response, aborted);
        }
        finally
        {
            await request.Body.ReleasedAsync();
        }
    }

    private async Task<NodeAnswer> AnswerAsync(ForwardedRequest request, Hold hold, CancellationToken aborted)
    {
        var anyNode = Random.Shared.Next();
        var isFirst = true;
        RouteEntry? hint = null;
        Lane? lane = null;
        try
        {
            while (true)
            {
                var newer = routes.Superseded;
                var destination = routes.Find(request.Channel ?? MetadataChannel.Name) ?? (MayBeAnswered(request) ? routes.AnyNode(anyNode++) : null);
                if (destination is null)
                {
                    await UnknownAsync(request.Channel, hold, newer);
                    continue;
                }

                if (destination.Leader is not { } leader)
                {
                    hold.Because($"channel {request.Channel ?? MetadataChannel.Name} has no live node that could lead it");
                    await hold.UntilAsync(destination.Left);
                    continue;
                }

                if (hint is null)
                {
                    await hold.TurnAsync(destination, leader.NodeId);
                }

                if (lane is null && request.IsAppend && request.ClientStamp is null)
                {
                    // Names that clients make up get no lanes of their own, which would be kept for good.
                    lane = await TakeLaneAsync(routes.Find(request.Channel ?? MetadataChannel.Name) is null ? MetadataChannel.Name : request.Channel ?? MetadataChannel.Name, hold);
                }

                if (destination.Left.IsCancellationRequested)
                {
                    continue;
                }

                var to = hint is not null && hint.Term > leader.Term ? hint : leader;
                hint = null;

                // Its turn, or its lane, may have come too late.
                hold.ThrowIfOver();
                var (answer, setback) = await attempts.SendAsync(request, lane?.Stamp ?? request.ClientStamp, to, destination, hold.WaitLeft, isFirst, hold.Left, aborted);
                isFirst = false;
                if (answer is not null)
                {
                    destination.Turns.Open();
                    return answer;
                }

                if (setback is { Reason: RetryReason.NotLeader, Hint: null } && request.Channel is { } unknown && routes.Find(unknown) is null)
                {
                    // Some node was asked, which knows of no such partition either: no reason to hold up those who ask it for others.
                    await UnknownAsync(unknown, hold, newer);
                    continue;
                }

                hint = After(setback!, to, destination, request);
                if (setback!.Reason == RetryReason.HoldOver)
                {
                    hold.AtLast(setback.Detail);
                }
                else
                {
                    hold.Because(setback.Detail);
                }
            }
        }
        finally
        {
            lane?.Dispose();
        }
    }

    /// <summary>Whether any node can do something about a request whose channel the route does not know: answer for the metadata; or, to the first append to a partition, create its topic, or say why not.</summary>
    private static bool MayBeAnswered(ForwardedRequest request) => request.Channel is not { } channel || (request.IsAppend && PartitionChannels.TryParse(channel, out _, out _));

    /// <summary>What an attempt without an answer leads to; the leader to try at once, where the node named one.</summary>
    private RouteEntry? After(Setback setback, RouteEntry to, Destination destination, ForwardedRequest request)
    {
        metrics.Retried(setback.Reason);

        // The node of a hint may have started anew since, elsewhere: without the number of its start the report would be against whichever runs now. The route names it in a moment.
        if (setback.Reason.IsUnreachable() && (to.Incarnation is not null || to == destination.Leader))
        {
            reports.Unreachable(to.NodeId, to.Incarnation, setback.Detail);
        }

        if (!request.IsRepeatable && setback.Reason.MayBeDone())
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"{setback.Detail}; it may have been done, so look before you send it again") { RetryAfterSeconds = 1 };
        }

        if (setback is { Reason: RetryReason.NotLeader, Hint: { Endpoint.IsAbsoluteUri: true } named } && named.Term > to.Term)
        {
            return new RouteEntry(named.Endpoint, named.NodeId, named.Term, routes.IncarnationOf(named.NodeId));
        }

        if (setback.Reason is not (RetryReason.RouteChanged or RetryReason.Stopping))
        {
            destination.Turns.Close();
        }

        return null;
    }

    /// <summary>Waits for a route that knows the channel; half a second without one says that it does not exist. The next route alone does not: it may have been on its way when the channel was created.</summary>
    private async Task UnknownAsync(string? channel, Hold hold, CancellationToken newer)
    {
        if (channel is not null && !VChannels.IsValidChannel(channel))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "a channel's name matches [a-z0-9][a-z0-9._-]{0,62} and does not contain \"_v\"");
        }

        if (routes.Version < 0 || channel is null)
        {
            hold.Because(routes.Version < 0 ? "the control plane has not told any route yet" : "the route names no node");
            await hold.UntilAsync(newer);
            return;
        }

        if (hold.Elapsed >= NewsTime)
        {
            // Looked for again: the newer route may have come since.
            if (routes.Find(channel) is null)
            {
                throw new ApiException(ApiErrorCode.NotFound, $"there is no channel {channel}");
            }

            return;
        }

        hold.Because($"channel {channel} is not known");
        await hold.UntilAsync(newer, NewsTime - hold.Elapsed);
    }

    private async Task<Lane> TakeLaneAsync(string channel, Hold hold)
    {
        var of = lanes.Of(channel);
        if (of.TryTake() is { } free)
        {
            return free;
        }

        hold.Because($"{settings.Value.ProducersPerChannel} appends to channel {channel} are under way, as many as may be (Gateway:ProducersPerChannel)");
        return await LaneAsync(of, hold);
    }

    /// <summary>Waits for one of the lanes to be given back.</summary>
    internal static async Task<Lane> LaneAsync(ChannelLanes lanes, Hold hold)
    {
        while (true)
        {
            Lane? taken = null;
            try
            {
                await hold.UntilAsync(async end => taken = await lanes.TakeAsync(end), CancellationToken.None);
            }
            catch
            {
                // The client hung up at the moment in which it came: nobody else would give it back.
                taken?.Dispose();
                throw;
            }

            if (taken is not null)
            {
                return taken;
            }
        }
    }
}
