using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>
/// Events raised from outside, matched by name without regard to case with those who wait for them; first come, first
/// served on both sides. Every step takes the same time, however many wait or are kept.
/// </summary>
internal sealed class ExternalEvents
{
    private readonly Dictionary<string, Channel> _channels = new(StringComparer.OrdinalIgnoreCase);
    private int _arrivals;
    private int _waiters;

    /// <summary>Events nobody has taken, in the order of their arrival.</summary>
    public IEnumerable<HistoryEvent> Unclaimed
        => _channels.Values.SelectMany(static channel => channel.Kept).OrderBy(static kept => kept.Arrival).Select(static kept => kept.Raised);

    /// <summary>Whether anybody waits.</summary>
    public bool HasWaiters => _waiters > 0;

    /// <summary>Gives the event to the first who waits for its name, or keeps it.</summary>
    public void Raise(HistoryEvent raised)
    {
        if (Named(raised.EventRaised.Name).Waiting.First is not { } first)
        {
            Keep(raised);
            return;
        }

        Remove(first.Value);
        first.Value.Payload.SetResult(raised.EventRaised.Input);
    }

    /// <summary>Keeps the event, whoever waits: the next execution gets it.</summary>
    public void Keep(HistoryEvent raised) => Named(raised.EventRaised.Name).Kept.Enqueue((_arrivals++, raised));

    /// <summary>Takes the oldest kept event of this name, or waits for the next.</summary>
    public Waiter Claim(string name)
    {
        Channel channel = Named(name);
        var waiter = new Waiter(channel.Waiting);
        if (channel.Kept.TryDequeue(out (int Arrival, HistoryEvent Raised) oldest))
        {
            waiter.Payload.SetResult(oldest.Raised.EventRaised.Input);
        }
        else
        {
            waiter.Place = channel.Waiting.AddLast(waiter);
            _waiters++;
        }

        return waiter;
    }

    /// <summary>Ends a wait as cancelled, so that later events go to others.</summary>
    public void Abandon(Waiter waiter, CancellationToken cancellationToken)
    {
        Remove(waiter);
        waiter.Payload.TrySetCanceled(cancellationToken);
    }

    private Channel Named(string name)
    {
        if (!_channels.TryGetValue(name, out Channel? channel))
        {
            _channels.Add(name, channel = new Channel());
        }

        return channel;
    }

    private void Remove(Waiter waiter)
    {
        if (waiter.Place is { } place)
        {
            waiter.Queue.Remove(place);
            waiter.Place = null;
            _waiters--;
        }
    }

    /// <summary>One who waits for an event.</summary>
    internal sealed class Waiter(LinkedList<Waiter> queue)
    {
        /// <summary>The event's payload, as JSON text, once there.</summary>
        public TaskCompletionSource<string?> Payload { get; } = new();

        internal LinkedList<Waiter> Queue => queue;

        internal LinkedListNode<Waiter>? Place { get; set; }
    }

    private sealed class Channel
    {
        public Queue<(int Arrival, HistoryEvent Raised)> Kept { get; } = new();

        public LinkedList<Waiter> Waiting { get; } = new();
    }
}
