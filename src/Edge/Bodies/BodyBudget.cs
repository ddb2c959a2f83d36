using Baton.Core.Api;

namespace Baton.Edge.Bodies;

/// <summary>
/// Bounds what the bodies of all requests under way take together. Who wants more than is left waits in line, briefly, and then is refused; the line is
/// bounded too. A large body at its head keeps smaller ones behind it waiting, so that it gets its turn.
/// </summary>
/// <remarks>
/// All fields change under the lock. A place in the line ends in one way: granted, by who makes room; refused, when its time or that of one behind it is over; left, when its request is
/// gone; whose wait ends checks which. All wait equally long, so the time of whoever came before is over too: it goes first, and what does not fit in its stead is refused. Timers that are due
/// together fire in any order; without this a small body would be refused beside the room that the large one before it leaves.
/// </remarks>
/// <param name="maxBytes">Bytes that all bodies may take together.</param>
/// <param name="setting">The setting that says so, for the refusal.</param>
/// <param name="time">The clock of the wait.</param>
public sealed class BodyBudget(long maxBytes, string setting, TimeProvider time)
{
    /// <summary>How many may wait at once.</summary>
    public const int MaxWaiting = 1_024;

    /// <summary>How long each waits at most.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(1);

    private readonly long _maxBytes = maxBytes;
    private readonly Lock _lock = new();
    private readonly LinkedList<Place> _line = [];
    private long _takenBytes;

    /// <summary>Bytes taken now.</summary>
    public long TakenBytes
    {
        get
        {
            lock (_lock)
            {
                return _takenBytes;
            }
        }
    }

    /// <summary>Requests that wait now.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _line.Count;
            }
        }
    }

    /// <summary>Takes <paramref name="bytes"/>; whoever got them gives them back once.</summary>
    /// <exception cref="ApiException">429: there was no room in time; nothing was taken.</exception>
    public ValueTask TakeAsync(int bytes, CancellationToken ct)
    {
        LinkedListNode<Place> place;
        lock (_lock)
        {
            if (_line.Count == 0 && _takenBytes + bytes <= _maxBytes)
            {
                _takenBytes += bytes;
                return ValueTask.CompletedTask;
            }

            if (_line.Count >= MaxWaiting)
            {
                throw Overloaded();
            }

            place = _line.AddLast(new Place(bytes));
        }

        return WaitAsync(place, ct);
    }

    /// <summary>Takes <paramref name="bytes"/> at once, over the budget if need be: for the few and short requests that must not wait behind the many.</summary>
    public void TakeAnyway(int bytes)
    {
        lock (_lock)
        {
            _takenBytes += bytes;
        }
    }

    /// <summary>Gives back what was taken.</summary>
    public void GiveBack(int bytes)
    {
        lock (_lock)
        {
            _takenBytes -= bytes;
            Grant();
        }
    }

    private async ValueTask WaitAsync(LinkedListNode<Place> place, CancellationToken ct)
    {
        bool granted;
        try
        {
            granted = await place.Value.Granted.Task.WaitAsync(Wait, time, ct);
        }
        catch (TimeoutException)
        {
            granted = EndUpTo(place);
        }
        catch (OperationCanceledException)
        {
            Leave(place);
            throw;
        }

        if (!granted)
        {
            throw Overloaded();
        }
    }

    /// <summary>Refuses from the head of the line on until the place is out of it. True where it got its room, by that or at the same moment.</summary>
    private bool EndUpTo(LinkedListNode<Place> place)
    {
        lock (_lock)
        {
            while (place.List is not null && _line.First is { } first)
            {
                _line.RemoveFirst();
                first.Value.Granted.SetResult(false);
                Grant();
            }

            return place.Value.Granted.Task.Result;
        }
    }

    private void Leave(LinkedListNode<Place> place)
    {
        lock (_lock)
        {
            if (place.List is not null)
            {
                _line.Remove(place);
            }
            else if (place.Value.Granted.Task.Result)
            {
                // Granted at the same moment.
                _takenBytes -= place.Value.Bytes;
            }

            // Those behind may be smaller.
            Grant();
        }
    }

    private void Grant()
    {
        while (_line.First is { } first && _takenBytes + first.Value.Bytes <= _maxBytes)
        {
            _line.RemoveFirst();
            _takenBytes += first.Value.Bytes;
            first.Value.Granted.SetResult(true);
        }
    }

    private ApiException Overloaded() =>
        new(ApiErrorCode.Overloaded, $"the bodies of the requests under way take the {_maxBytes} bytes that this process gives them ({setting})") { RetryAfterSeconds = 1 };

    private sealed record Place(int Bytes)
    {
        /// <summary>False: refused. Set under the lock, when the place leaves the line by another's hand.</summary>
        public TaskCompletionSource<bool> Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
