namespace Baton.Node.Channels;

/// <summary>Requests that wait for a channel to be opened at a term, so that whoever sent them by a new route need not ask again and again. Bounded: one too many does not wait.</summary>
/// <param name="most">How many may wait at once.</param>
/// <param name="time">The clock of the wait.</param>
internal sealed class TermWaits(int most, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedList<Wait>> _waits = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>Requests that wait now.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Whether anybody waits for the channel.</summary>
    public bool IsAwaited(string channel)
    {
        lock (_lock)
        {
            return _waits.ContainsKey(channel);
        }
    }

    /// <summary>An opening at <paramref name="term"/> has ended, in whatever way, or the channel was seen at it: nobody waits for that term, or a lower one, any longer.</summary>
    public void Settled(string channel, long term)
    {
        lock (_lock)
        {
            if (!_waits.TryGetValue(channel, out var waits))
            {
                return;
            }

            foreach (var wait in waits.Where(w => w.Term <= term))
            {
                wait.Over.TrySetResult();
            }
        }
    }

    /// <summary>Waits until the channel is settled at <paramref name="term"/>, or <paramref name="limit"/> is over.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="term">The term.</param>
    /// <param name="limit">How long at most.</param>
    /// <param name="begun">Is called when others can see the wait; true where there is nothing to wait for any more.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public async Task WaitAsync(string channel, long term, TimeSpan limit, Func<bool> begun, CancellationToken ct)
    {
        if (limit <= TimeSpan.Zero || Enter(channel, term) is not { } place)
        {
            return;
        }

        try
        {
            if (!begun())
            {
                await place.Value.Over.Task.WaitAsync(limit, time, ct);
            }
        }
        catch (TimeoutException)
        {
            // The request is answered as it would have been without waiting.
        }
        finally
        {
            Leave(channel, place);
        }
    }

    private LinkedListNode<Wait>? Enter(string channel, long term)
    {
        lock (_lock)
        {
            if (_count >= most)
            {
                return null;
            }

            _count++;
            if (!_waits.TryGetValue(channel, out var waits))
            {
                _waits.Add(channel, waits = []);
            }

            return waits.AddLast(new Wait(term, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
        }
    }

    private void Leave(string channel, LinkedListNode<Wait> place)
    {
        lock (_lock)
        {
            _count--;
            var waits = place.List!;
            waits.Remove(place);
            if (waits.Count == 0)
            {
                _waits.Remove(channel);
            }
        }
    }

    private sealed record Wait(long Term, TaskCompletionSource Over);
}
