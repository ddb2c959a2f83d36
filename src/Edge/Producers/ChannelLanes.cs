namespace Baton.Edge.Producers;

/// <summary>
/// The lanes of one channel. Each takes one append at a time, so that its sequences come in order; the one that was used last is taken first, so that there are as few as appends are ever under way at once: the node remembers a
/// bounded number of producers, and forgets those that have not written for longest.
/// </summary>
/// <param name="idPrefix">What the ids of this channel's producers begin with: of this process alone.</param>
/// <param name="most">How many there may be.</param>
public sealed class ChannelLanes(string idPrefix, int most)
{
    private readonly Lock _lock = new();
    private readonly Stack<Lane> _free = new();
    private readonly LinkedList<TaskCompletionSource<Lane>> _waiting = [];
    private int _made;

    /// <summary>How many were made.</summary>
    public int Made => Volatile.Read(ref _made);

    /// <summary>A lane with its next sequence, for one append; disposing of it gives it back. Null where all are taken.</summary>
    public Lane? TryTake()
    {
        lock (_lock)
        {
            return TakeFree();
        }
    }

    /// <summary>The same, but waits where all are taken.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="end"/> was first.</exception>
    public ValueTask<Lane> TakeAsync(CancellationToken end)
    {
        TaskCompletionSource<Lane> mine;
        LinkedListNode<TaskCompletionSource<Lane>> place;
        lock (_lock)
        {
            if (TakeFree() is { } lane)
            {
                return ValueTask.FromResult(lane);
            }

            mine = new TaskCompletionSource<Lane>(TaskCreationOptions.RunContinuationsAsynchronously);
            place = _waiting.AddLast(mine);
        }

        return new ValueTask<Lane>(WaitAsync(mine, place, end));
    }

    /// <summary>The append has ended, whether or not anybody knows how. The next sequence makes a late arrival of the last one void: the node refuses what is below.</summary>
    internal void GiveBack(Lane lane)
    {
        lock (_lock)
        {
            while (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                if (first.Value.TrySetResult(lane))
                {
                    return;
                }
            }

            _free.Push(lane);
        }
    }

    private Lane? TakeFree() => _free.TryPop(out var lane) ? lane.Next() : _made < most ? new Lane($"{idPrefix}{_made++}", this).Next() : null;

    private async Task<Lane> WaitAsync(TaskCompletionSource<Lane> mine, LinkedListNode<TaskCompletionSource<Lane>> place, CancellationToken end)
    {
        await using (end.UnsafeRegister(static (p, ct) => ((TaskCompletionSource<Lane>)p!).TrySetCanceled(ct), mine))
        {
            try
            {
                return (await mine.Task).Next();
            }
            catch (OperationCanceledException)
            {
                lock (_lock)
                {
                    if (place.List is not null)
                    {
                        _waiting.Remove(place);
                    }
                }

                throw;
            }
        }
    }
}
