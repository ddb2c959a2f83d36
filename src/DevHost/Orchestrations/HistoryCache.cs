namespace Baton.DevHost.Orchestrations;

/// <summary>Bounds the history kept in memory: what was used longest ago is dropped first, and read again when it is needed.</summary>
internal sealed class HistoryCache(long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<(LiveInstance Instance, long Bytes)> _byUse = new();
    private readonly Dictionary<LiveInstance, LinkedListNode<(LiveInstance Instance, long Bytes)>> _nodes = [];
    private long _bytes;

    /// <summary>The history of <paramref name="instance"/> is in memory and was just used.</summary>
    public void Use(LiveInstance instance, long bytes)
    {
        lock (_lock)
        {
            Remove(instance);
            _nodes[instance] = _byUse.AddLast((instance, bytes));
            _bytes += bytes;
            while (_bytes > maxBytes && _byUse.First is { } oldest)
            {
                Remove(oldest.Value.Instance);
                oldest.Value.Instance.DropHistory();
            }
        }
    }

    public void Forget(LiveInstance instance)
    {
        lock (_lock)
        {
            Remove(instance);
        }
    }

    private void Remove(LiveInstance instance)
    {
        if (_nodes.Remove(instance, out var node))
        {
            _bytes -= node.Value.Bytes;
            _byUse.Remove(node);
        }
    }
}
