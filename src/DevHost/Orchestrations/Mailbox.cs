namespace Baton.DevHost.Orchestrations;

/// <summary>The messages of one instance, in order. A turn takes some; they are gone when it is committed, and stand in front again when it is not.</summary>
/// <remarks>Not for two threads at once: <see cref="LiveInstance"/> guards it. Only putting back looks at every message.</remarks>
internal sealed class Mailbox
{
    private readonly List<Message> _taken = [];
    private readonly HashSet<string> _rowKeys = new(StringComparer.Ordinal);
    private Queue<Message> _waiting = new();

    public int Count => _taken.Count + _waiting.Count;

    public void Add(Message message)
    {
        if (message.RowKey is null || _rowKeys.Add(message.RowKey))
        {
            _waiting.Enqueue(message);
        }
    }

    /// <summary>Whether a message of this row waits or is in a turn.</summary>
    public bool Has(string rowKey) => _rowKeys.Contains(rowKey);

    /// <summary>Takes the next messages within the bounds.</summary>
    public IReadOnlyList<Message> Take(TurnBounds bounds)
    {
        PutBack();
        var (bytes, chars) = (0L, 0);
        while (_taken.Count < bounds.Count && _waiting.TryPeek(out var next))
        {
            bytes += next.Event.CalculateSize();
            chars += next.RowKey is { } key ? key.Length + 1 : 0;
            if (chars > bounds.KeyChars || (bytes > bounds.SizeBytes && _taken.Count > 0))
            {
                break;
            }

            _taken.Add(_waiting.Dequeue());
        }

        return [.. _taken];
    }

    /// <summary>What was taken is in history, or counts for nothing.</summary>
    public void Forget()
    {
        foreach (var message in _taken)
        {
            if (message.RowKey is { } key)
            {
                _rowKeys.Remove(key);
            }
        }

        _taken.Clear();
    }

    /// <summary>What was taken stands in front again.</summary>
    public void PutBack()
    {
        if (_taken.Count > 0)
        {
            _waiting = new Queue<Message>([.. _taken, .. _waiting]);
            _taken.Clear();
        }
    }

    /// <summary>Keeps what has no row, and of the rest what <paramref name="stored"/> has; adds what is new there.</summary>
    public void Adopt(IReadOnlyList<Message> stored)
    {
        PutBack();
        var there = stored.Select(m => m.RowKey!).ToHashSet(StringComparer.Ordinal);
        _waiting = new Queue<Message>(_waiting.Where(m => m.RowKey is null || there.Contains(m.RowKey)));
        _rowKeys.IntersectWith(there);
        foreach (var message in stored)
        {
            Add(message);
        }
    }

    public void Clear()
    {
        _taken.Clear();
        _waiting.Clear();
        _rowKeys.Clear();
    }
}
