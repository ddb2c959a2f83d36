using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Replicas.Feed;

namespace Baton.Node.Channels;

/// <content>The replicas that follow this channel.</content>
internal sealed partial class LedChannel
{
    private readonly LeaderFeed _feed;

    /// <summary>How many replicas follow.</summary>
    public int Feeds => _feed.Count;

    /// <summary>Begins to push to a replica that follows at <paramref name="term"/>.</summary>
    /// <exception cref="ApiException">Conflict where that is not the term led here; NotLeader where the leadership has ended; Overloaded where too many follow.</exception>
    public (FeedSubscriber Subscriber, FeedStart Start) Subscribe(long term, string nodeId, ReplicaMode mode, int queueBytes)
    {
        CheckTerm(term);
        return _feed.Subscribe(Name, nodeId, mode, queueBytes) is var (subscriber, nextLsn, durableLsn)
            ? (subscriber, new FeedStart(Term, nextLsn, durableLsn))
            : throw _around.NotLeader(Name);
    }

    /// <summary>A replica's connection is gone.</summary>
    public void Unsubscribe(FeedSubscriber subscriber) => _feed.Unsubscribe(subscriber);

    /// <summary>A replica tells how far it is.</summary>
    /// <exception cref="ApiException">Conflict where it follows another term.</exception>
    public void ReplicaAt(long term, string nodeId, long flushedLsn)
    {
        CheckTerm(term);
        _feed.Progress(nodeId, flushedLsn);
    }

    private void CheckTerm(long term)
    {
        if (term != Term)
        {
            throw new ApiException(ApiErrorCode.Conflict, $"channel {Name} is led here at term {Term}, not {term}");
        }
    }
}
