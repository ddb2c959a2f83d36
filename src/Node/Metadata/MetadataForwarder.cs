using System.Net;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Edge.Producers;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>
/// Brings a request for the metadata to whoever leads it, this node included, and its answer back, over as many changes of leader as <c>Metadata:ForwardTimeoutMs</c> has room for. One hop, never
/// more: a request that another node has forwarded, and that does not find a leader here, goes back to that node with <c>NotLeader</c>, which looks again. No client ever gets that answer.
/// <para>
/// A command that is sent on carries a producer's stamp, the client's, its gateway's or one of this node's own: sent again, because nobody knows whether it arrived, it is answered as the first time.
/// </para>
/// </summary>
internal sealed class MetadataForwarder(
    [FromKeyedServices(NodeApplication.PeerHttp)] HttpClient http,
    MetadataLeader leader,
    ChannelTable channels,
    EarlyBeat early,
    ForwardStamps stamps,
    MetadataMetrics metrics,
    IOptions<NodeSettings> node,
    IOptions<MetadataSettings> settings,
    TimeProvider time)
{
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Answers a request at the leader.</summary>
    /// <param name="request">The request.</param>
    /// <param name="hereAsync">Answers it where this node leads. Is given the stamp of this node's own that an earlier attempt had, at another leader, who may have carried it out.</param>
    /// <param name="aborted">The client has gone.</param>
    /// <exception cref="ApiException">NotLeader to a node that has forwarded it; Unavailable when the time is over.</exception>
    public async Task<IResult> AnswerAsync(ForwardedRequest request, Func<LedChannel, string?, Task<IResult>> hereAsync, CancellationToken aborted)
    {
        var limit = new TimeLimit(TimeSpan.FromMilliseconds(settings.Value.ForwardTimeoutMs), time);
        Lane? lane = null;
        try
        {
            var reason = "nobody is known to lead it";
            while (true)
            {
                var (heard, opened) = (leader.Changed, channels.Opened);
                await WaitForTermAsync(request, aborted);
                if (channels.Find(MetadataChannel.Name) is { } led)
                {
                    try
                    {
                        return await hereAsync(led, lane?.Stamp);
                    }
                    catch (ApiException e) when (e.Error.Code == ApiErrorCode.NotLeader && !request.WasForwarded)
                    {
                        // Another has taken it over, and nothing of this request is in the log: that one is asked.
                        reason = e.Message;
                    }
                }
                else if (request.WasForwarded)
                {
                    throw new ApiException(ApiErrorCode.NotLeader, "this node does not lead the metadata") { Leader = leader.Known };
                }
                else if (leader.Known is { } known && !string.Equals(known.NodeId, node.Value.Id, StringComparison.Ordinal))
                {
                    lane ??= request.NeedsStamp ? await stamps.TakeAsync(limit, aborted) : null;
                    (var answer, reason) = await SendAsync(request, known, lane?.Stamp, limit, aborted);
                    if (answer is not null)
                    {
                        return answer;
                    }
                }

                await PauseAsync(request, limit, heard, opened, reason, aborted);
            }
        }
        finally
        {
            lane?.Dispose();
        }
    }

    // A new leader may be asked before it has opened the log: whoever sent this on knows the term by a newer route.
    private async Task WaitForTermAsync(ForwardedRequest request, CancellationToken aborted)
    {
        if (request.Term > channels.TermSeen(MetadataChannel.Name))
        {
            if (request.Term > channels.TermOrdered(MetadataChannel.Name))
            {
                early.Ask();
            }

            if (request.WasForwarded)
            {
                await channels.WaitForTermAsync(MetadataChannel.Name, request.Term, aborted);
            }
        }
    }

    /// <summary>One attempt: an answer to pass on, or why there is none.</summary>
    private async Task<(IResult? Answer, string Reason)> SendAsync(ForwardedRequest request, LeaderHint to, string? stamp, TimeLimit limit, CancellationToken aborted)
    {
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        attempt.CancelAfter(limit.Left);
        var superseded = EndWhenSupersededAsync(to, attempt);
        metrics.Forwarded();
        try
        {
            using var message = request.To(to, node.Value.Id, stamp);
            using var response = await http.SendAsync(message, attempt.Token);
            switch (response.StatusCode)
            {
                case HttpStatusCode.MisdirectedRequest:
                    leader.Missed(to, unreachable: null);
                    return (null, $"node {to.NodeId} does not lead it any more");
                case HttpStatusCode.ServiceUnavailable when limit.Left > RetryPause * 2:
                    return (null, $"node {to.NodeId} cannot answer at the moment");
                default:
                    return (await ForwardedAnswer.ReadAsync(response, attempt.Token), "");
            }
        }
        catch (HttpRequestException e)
        {
            leader.Missed(to, e.Message);
            return (null, $"node {to.NodeId} cannot be reached");
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            leader.Missed(to, unreachable: null);
            return (null, $"node {to.NodeId} gave no answer");
        }
        finally
        {
            await attempt.CancelAsync();
            await superseded;
        }
    }

    // A leader that hangs is given up as soon as another is known. Ends with the attempt, and never fails.
    private async Task EndWhenSupersededAsync(LeaderHint to, CancellationTokenSource attempt)
    {
        var ended = Task.Delay(Timeout.InfiniteTimeSpan, attempt.Token);
        while (!attempt.IsCancellationRequested)
        {
            var changed = leader.Changed;
            if (leader.Known is { } known && known.Term > to.Term)
            {
                await attempt.CancelAsync();
                return;
            }

            await Task.WhenAny(changed, ended);
        }
    }

    private async Task PauseAsync(ForwardedRequest request, TimeLimit limit, Task heard, Task opened, string reason, CancellationToken aborted)
    {
        var left = limit.Left;
        if (left <= TimeSpan.Zero)
        {
            var done = request.ChangesSomething ? $"; what was sent may have been done: send it again with the same {BatonHeaders.Producer} stamp, or look first" : "";
            throw new ApiException(ApiErrorCode.Unavailable, $"the metadata has had no leader that answers for {settings.Value.ForwardTimeoutMs} ms (Metadata:ForwardTimeoutMs): {reason}{done}") { RetryAfterSeconds = 1 };
        }

        // Made only here, where it ends in a moment: one that waits for a change alone would stay with both for as long as nothing changes.
        await Task.WhenAny(heard, opened, Task.Delay(left < RetryPause ? left : RetryPause, time, aborted));
        aborted.ThrowIfCancellationRequested();
    }
}
