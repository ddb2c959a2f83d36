using Baton.Core.Api;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Answers;

/// <summary>
/// Bounds what the bodies of all requests under way take together. Who wants more than is left waits in line, briefly, and then is refused; the line is
/// bounded too. A large body at its head keeps smaller ones behind it waiting, so that it gets its turn.
/// </summary>
/// <remarks>All fields change under the lock. A place in the line ends in one way: granted, by who gives back, or left, by its own wait; who leaves checks which.</remarks>
internal sealed class BodyBudget(IOptions<NodeSettings> node, TimeProvider time)
{
    /// <summary>How many may wait at once.</summary>
    public const int MaxWaiting = 1_024;

    /// <summary>How long each waits at most.</summary>
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(1);

    private readonly long _maxBytes = node.Value.MaxRequestBytesInFlight;
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
        try
        {
            await place.Value.Granted.Task.WaitAsync(Wait, time, ct);
        }
        catch (TimeoutException)
        {
            if (Leave(place))
            {
                throw Overloaded();
            }
        }
        catch (OperationCanceledException)
        {
            if (!Leave(place))
            {
                GiveBack(place.Value.Bytes);
            }

            throw;
        }
    }

    /// <summary>False where the place was granted at the same moment.</summary>
    private bool Leave(LinkedListNode<Place> place)
    {
        lock (_lock)
        {
            if (place.List is null)
            {
                return false;
            }

            // Those behind may be smaller.
            _line.Remove(place);
            Grant();
            return true;
        }
    }

    private void Grant()
    {
        while (_line.First is { } first && _takenBytes + first.Value.Bytes <= _maxBytes)
        {
            _line.RemoveFirst();
            _takenBytes += first.Value.Bytes;
            first.Value.Granted.SetResult();
        }
    }

    private ApiException Overloaded() =>
        new(ApiErrorCode.Overloaded, $"the bodies of the requests under way take the {_maxBytes} bytes that this node gives them (Node:MaxRequestBytesInFlight)") { RetryAfterSeconds = 1 };

    private sealed record Place(int Bytes)
    {
        public TaskCompletionSource Granted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
