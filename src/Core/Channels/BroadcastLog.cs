namespace Baton.Core.Channels;

/// <summary>The latest broadcast records of a channel, so that one sent again is answered and not appended again.</summary>
internal sealed class BroadcastLog(int limit)
{
    private readonly Dictionary<(long BroadcastId, string VChannel), BroadcastResult> _results = [];
    private readonly Queue<(long, string)> _oldestFirst = new();

    /// <summary>The result of the broadcast on a vchannel, or null.</summary>
    public BroadcastResult? Find(long broadcastId, string vchannel) => _results.GetValueOrDefault((broadcastId, vchannel));

    /// <summary>A record is in the log. The first one counts.</summary>
    public void Add(long broadcastId, string vchannel, BroadcastResult result)
    {
        if (!_results.TryAdd((broadcastId, vchannel), result))
        {
            return;
        }

        _oldestFirst.Enqueue((broadcastId, vchannel));
        if (_oldestFirst.Count > limit)
        {
            _results.Remove(_oldestFirst.Dequeue());
        }
    }

    /// <summary>All that is remembered, in the log's order.</summary>
    public IEnumerable<string> Describe() => _oldestFirst.Select(k =>
        $"{k}: {_results[k].Ack} rolled back [{string.Join(", ", _results[k].RolledBackTxnIds)}] {_results[k].LastReplicated}");
}
