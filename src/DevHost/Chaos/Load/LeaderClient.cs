using System.Collections.Concurrent;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>Sends to a channel's leader and remembers who that is, until an answer or a lost connection says otherwise: what a load needs to go on while the control plane is away.</summary>
/// <param name="cluster">Where to.</param>
internal sealed class LeaderClient(ClusterClient cluster)
{
    private readonly ConcurrentDictionary<string, Uri> _leaders = new(StringComparer.Ordinal);

    /// <summary>One request, sent once.</summary>
    /// <returns>The answer; null where none came, and then it is unknown what the request did.</returns>
    public async Task<ApiAnswer<T>?> SendAsync<T>(HttpMethod method, string channel, string path, HttpContent? content, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            if (!_leaders.TryGetValue(channel, out var leader))
            {
                if (!(await cluster.RouteAsync(cancellationToken)).Channels.TryGetValue(channel, out var entry))
                {
                    return null;
                }

                leader = _leaders[channel] = entry.Endpoint;
            }

            var answer = await cluster.NodeAsync<T>(leader, method, $"channels/{channel}/{path}", content, asControlPlane: false, cancellationToken);
            if (answer.Status is 421 or 503)
            {
                Forget(channel, answer.Problem?.Leader);
            }

            // A load that is refused for its own fault would wait for ever for what cannot come.
            return answer.Status is 400 or 401 ? throw new InvalidOperationException($"{method} {channel}/{path}: {answer.Status} {answer.Problem?.Detail}") : answer;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or ApiAnswerException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            Forget(channel, null);
            return null;
        }
    }

    private void Forget(string channel, LeaderHint? hint)
    {
        _leaders.TryRemove(channel, out _);
        if (hint is not null)
        {
            _leaders[channel] = hint.Endpoint;
        }
    }
}
