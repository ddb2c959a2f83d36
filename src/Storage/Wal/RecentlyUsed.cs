using System.Diagnostics.CodeAnalysis;

namespace Baton.Storage.Wal;

/// <summary>Remembers a bounded number of values; the one that was not used for longest is forgotten first.</summary>
/// <param name="capacity">How many.</param>
internal sealed class RecentlyUsed<TValue>(int capacity)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, TValue Value)>> _nodes = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Key, TValue Value)> _byUse = new();

    /// <summary>How many there are now.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _nodes.Count;
            }
        }
    }

    /// <summary>The value of <paramref name="key"/>, if it is remembered; counts as a use.</summary>
    public bool TryGet(string key, [MaybeNullWhen(false)] out TValue value)
    {
        lock (_gate)
        {
            var found = _nodes.TryGetValue(key, out var node);
            value = found ? node!.Value.Value : default;
            if (found)
            {
                Touch(node!);
            }

            return found;
        }
    }

    /// <summary>Puts what <paramref name="choose"/> makes of the value remembered, or default, in its place; counts as a use.</summary>
    public TValue Put(string key, Func<TValue?, TValue> choose)
    {
        lock (_gate)
        {
            if (_nodes.TryGetValue(key, out var node))
            {
                node.Value = (key, choose(node.Value.Value));
                Touch(node);
                return node.Value.Value;
            }

            if (_nodes.Count == capacity)
            {
                _nodes.Remove(_byUse.Last!.Value.Key);
                _byUse.RemoveLast();
            }

            node = _byUse.AddFirst((key, choose(default)));
            _nodes.Add(key, node);
            return node.Value.Value;
        }
    }

    private void Touch(LinkedListNode<(string Key, TValue Value)> node)
    {
        _byUse.Remove(node);
        _byUse.AddFirst(node);
    }
}
