using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Replay;

/// <summary>
/// Events raised from outside, matched by name without regard to case with those who wait for them; first come, first
/// served on both sides.
/// </summary>
internal sealed class ExternalEvents
{
    private readonly List<HistoryEvent> _unclaimed = [];
    private readonly List<(string Name, TaskCompletionSource<string?> Payload)> _waiters = [];

    /// <summary>Events nobody has taken, in the order of their arrival.</summary>
    public IReadOnlyList<HistoryEvent> Unclaimed => _unclaimed;

    /// <summary>Whether anybody waits.</summary>
    public bool HasWaiters => _waiters.Count > 0;

    /// <summary>Gives the event to the first who waits for its name, or keeps it.</summary>
    public void Raise(HistoryEvent raised)
    {
        int index = _waiters.FindIndex(waiter => SameName(waiter.Name, raised.EventRaised.Name));
        if (index < 0)
        {
            Keep(raised);
            return;
        }

        TaskCompletionSource<string?> waiter = _waiters[index].Payload;
        _waiters.RemoveAt(index);
        waiter.SetResult(raised.EventRaised.Input);
    }

    /// <summary>Keeps the event, whoever waits: the next execution gets it.</summary>
    public void Keep(HistoryEvent raised) => _unclaimed.Add(raised);

    /// <summary>Takes the oldest kept event of this name, or waits for the next.</summary>
    public TaskCompletionSource<string?> Claim(string name)
    {
        var payload = new TaskCompletionSource<string?>();
        int index = _unclaimed.FindIndex(raised => SameName(name, raised.EventRaised.Name));
        if (index < 0)
        {
            _waiters.Add((name, payload));
        }
        else
        {
            HistoryEvent raised = _unclaimed[index];
            _unclaimed.RemoveAt(index);
            payload.SetResult(raised.EventRaised.Input);
        }

        return payload;
    }

    /// <summary>Ends a wait as cancelled, so that later events go to others.</summary>
    public void Abandon(TaskCompletionSource<string?> payload, CancellationToken cancellationToken)
    {
        _waiters.RemoveAll(waiter => waiter.Payload == payload);
        payload.TrySetCanceled(cancellationToken);
    }

    private static bool SameName(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
