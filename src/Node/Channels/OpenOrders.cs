namespace Baton.Node.Channels;

/// <summary>
/// The channels that this node is to open, and how many it opens at a time. A process that takes over ten thousand channels must not have ten thousand openings under way: orders wait here, an
/// entry each, and what is not being opened has no task. Channels that somebody waits for go first, the others in the order in which they were ordered.
/// </summary>
/// <remarks>
/// A place is taken before a channel's turn, by everybody: whoever holds a turn never waits for a place. Who closes a channel takes no place, so that places become free again, and closing waits for the
/// log for a bounded time.
/// </remarks>
/// <param name="most">How many are opened at the same time.</param>
/// <param name="waits">Who waits for what.</param>
internal sealed class OpenOrders(int most, TermWaits waits)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Order> _orders = new(StringComparer.Ordinal);
    private readonly LinkedList<Order> _awaited = [];
    private readonly LinkedList<Order> _others = [];
    private int _underWay;

    /// <summary>Openings under way.</summary>
    public int UnderWay
    {
        get
        {
            lock (_lock)
            {
                return _underWay;
            }
        }
    }

    /// <summary>Orders that wait for a place.</summary>
    public int Waiting
    {
        get
        {
            lock (_lock)
            {
                return _awaited.Count + _others.Count;
            }
        }
    }

    /// <summary>The highest term at which the channel is being opened or is to be opened; 0 = none.</summary>
    public long TermOf(string channel)
    {
        lock (_lock)
        {
            return _orders.TryGetValue(channel, out var order) ? Math.Max(order.Term, order.NextTerm) : 0;
        }
    }

    /// <summary>Orders a channel to be opened behind the caller's back. False where it is ordered at this term, or a higher one, already.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="term">The term.</param>
    /// <param name="openAsync">Opens it at the term that it is given, which may be a higher one, ordered meanwhile. Fails never.</param>
    public bool Add(string channel, long term, Func<string, long, Task> openAsync)
    {
        lock (_lock)
        {
            if (_orders.TryGetValue(channel, out var there))
            {
                return there.Raise(term, openAsync);
            }

            var order = new Order(channel, term, openAsync);
            _orders.Add(channel, order);
            Enqueue(order);
            return true;
        }
    }

    /// <summary>Runs <paramref name="openAsync"/>, whose caller waits for it, when there is a place for it.</summary>
    public Task<T> RunAsync<T>(Func<Task<T>> openAsync)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var order = new Order(null, 0, async (_, _) =>
        {
            try
            {
                result.SetResult(await openAsync());
            }
            catch (Exception e)
            {
                // The waiting caller's, like the result.
                result.SetException(e);
            }
        });
        lock (_lock)
        {
            Enqueue(order);
        }

        return result.Task;
    }

    /// <summary>Somebody waits for the channel: it goes before those for which nobody does.</summary>
    public void Prefer(string channel)
    {
        lock (_lock)
        {
            if (_orders.TryGetValue(channel, out var order) && order.Place.List == _others)
            {
                _others.Remove(order.Place);
                _awaited.AddLast(order.Place);
            }
        }
    }

    /// <summary>Forgets what has not been begun, but for what a caller waits for. What has been begun is not begun again at another term.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            foreach (var order in _orders.Values.ToArray())
            {
                order.NextTerm = 0;
                if (order.Place.List is { } list)
                {
                    list.Remove(order.Place);
                    _orders.Remove(order.Channel!);
                }
            }
        }
    }

    private void Enqueue(Order order)
    {
        if (_underWay < most)
        {
            _underWay++;
            _ = WorkAsync(order);
        }
        else
        {
            (order.Channel is null || waits.IsAwaited(order.Channel) ? _awaited : _others).AddLast(order.Place);
        }
    }

    // Owned by its place, of which there are as many as may be: an order that has ended makes room for the next, and none fails.
    private async Task WorkAsync(Order first)
    {
        // Off the caller's thread, and out of the lock, from the first line on.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (var order = first; order is not null; order = Next(order))
        {
            await order.RunAsync();
        }
    }

    private Order? Next(Order ended)
    {
        lock (_lock)
        {
            if (ended.Channel is not null)
            {
                if (ended.TakeNext())
                {
                    (waits.IsAwaited(ended.Channel) ? _awaited : _others).AddLast(ended.Place);
                }
                else
                {
                    _orders.Remove(ended.Channel);
                }
            }

            var list = _awaited.Count > 0 ? _awaited : _others;
            if (list.First is not { } next)
            {
                _underWay--;
                return null;
            }

            list.RemoveFirst();
            return next.Value;
        }
    }

    /// <summary>One channel's order, waiting while its place is in a list; or one that a caller waits for, which has no name.</summary>
    private sealed class Order
    {
        private Func<string, long, Task> _openAsync;

        public Order(string? channel, long term, Func<string, long, Task> openAsync)
        {
            (Channel, Term, _openAsync) = (channel, term, openAsync);
            Place = new LinkedListNode<Order>(this);
        }

        public string? Channel { get; }

        public long Term { get; private set; }

        /// <summary>A higher term that was ordered while this one was being opened; 0 = none.</summary>
        public long NextTerm { get; set; }

        public LinkedListNode<Order> Place { get; }

        public Task RunAsync() => _openAsync(Channel ?? "", Term);

        public bool Raise(long term, Func<string, long, Task> openAsync)
        {
            if (term <= Math.Max(Term, NextTerm))
            {
                return false;
            }

            _openAsync = openAsync;
            if (Place.List is null)
            {
                NextTerm = term;
            }
            else
            {
                Term = term;
            }

            return true;
        }

        public bool TakeNext()
        {
            if (NextTerm == 0)
            {
                return false;
            }

            (Term, NextTerm) = (NextTerm, 0);
            return true;
        }
    }
}
