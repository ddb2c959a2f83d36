using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace Baton.DevHost.Orchestrations;

/// <summary>An unfinished instance in memory. One turn at a time: it stands in the ready queue at most once.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A semaphore without a wait handle holds nothing.")]
internal sealed class LiveInstance
{
    private readonly ChannelWriter<LiveInstance> _ready;
    private readonly Lock _lock = new();
    private readonly Mailbox _mailbox = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly HashSet<int> _dispatched = [];
    private readonly TaskCompletionSource _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastSequence;
    private volatile bool _isStale;
    private bool _isReady;
    private bool _isWoken;

    public LiveInstance(StoredInstance stored, ChannelWriter<LiveInstance> ready)
    {
        (_ready, Record, History, LeftOver) = (ready, stored.Record, stored.History, stored.LeftOver);
        AdoptMessages(stored.Messages);
    }

    public string Id => Record.Id;

    /// <summary>As committed. Written only inside <see cref="EnterAsync"/>.</summary>
    public InstanceRecord Record { get; private set; }

    /// <summary>History of <see cref="Record"/>, unless it was dropped to save memory.</summary>
    public ExecutionHistory? History { get; private set; }

    /// <summary>Rows found that count for nothing.</summary>
    public IReadOnlyList<LeftOverRow> LeftOver { get; set; }

    /// <summary>Whether nobody knows what the table says of it: a write outside its turn got no answer, or was refused.</summary>
    public bool IsStale => _isStale;

    /// <summary>Whether it comes fresh from the table, so that what follows from its history has yet to be dispatched.</summary>
    public bool NeedsSettling { get; set; }

    /// <summary>Activities that <see cref="ActivityPump"/> had no room for yet. Touched only by the turn.</summary>
    public Queue<int> Undispatched { get; } = new();

    /// <summary>How often in a row its turn asked to be delivered again.</summary>
    public int Redeliveries { get; set; }

    /// <summary>How often in a row storage failed its turn.</summary>
    public int Faults { get; set; }

    /// <summary>Completes when it is finished and nothing is left to do for it.</summary>
    public Task Removed => _removed.Task;

    public int PendingCount
    {
        get
        {
            lock (_lock)
            {
                return _mailbox.Count;
            }
        }
    }

    /// <summary>Whoever holds this may change what is committed, or rely on its not changing.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        return new Exit(_gate);
    }

    public void Commit(InstanceRecord record, ExecutionHistory? history)
    {
        var isAnother = !string.Equals(record.ExecutionId, Record.ExecutionId, StringComparison.Ordinal);
        if (isAnother)
        {
            _dispatched.Clear();
        }

        if (isAnother || record.IsFinished)
        {
            // What the execution left is listed in rows of its own now.
            Undispatched.Clear();
        }

        (Record, History) = (record, history);
    }

    public void DropHistory() => History = null;

    /// <summary>Takes what the table says in place of what was remembered. Completions in memory stay: they may not be in the table.</summary>
    public void Adopt(StoredInstance stored)
    {
        Commit(stored.Record, stored.History);
        LeftOver = stored.LeftOver;
        _isStale = false;
        AdoptMessages(stored.Messages);
    }

    /// <summary>Has it read again at the beginning of its next turn, which comes in any case.</summary>
    public void SetStale()
    {
        _isStale = true;
        Wake();
    }

    /// <summary>Whether a piece of work of the present execution is handed out for the first time by this engine.</summary>
    public bool TryDispatch(int id) => _dispatched.Add(id);

    public bool HasDispatched(int id) => _dispatched.Contains(id);

    /// <summary>Above every sequence before it, across restarts as long as the clock does not go back by more than an engine was away.</summary>
    public long NextSequence(DateTimeOffset now) => _lastSequence = Math.Max(_lastSequence + 1, now.UtcTicks);

    public void Post(Message message)
    {
        lock (_lock)
        {
            _mailbox.Add(message);
        }

        MakeReady();
    }

    public bool HasPending(string rowKey)
    {
        lock (_lock)
        {
            return _mailbox.Has(rowKey);
        }
    }

    /// <summary>Takes messages into the turn.</summary>
    public IReadOnlyList<Message> Take(TurnBounds bounds)
    {
        lock (_lock)
        {
            return _mailbox.Take(bounds);
        }
    }

    /// <summary>What the turn has taken is done with.</summary>
    public void ForgetTaken()
    {
        lock (_lock)
        {
            _mailbox.Forget();
        }
    }

    public void MakeReady()
    {
        lock (_lock)
        {
            if (_isReady)
            {
                return;
            }

            _isReady = true;
        }

        _ready.TryWrite(this);
    }

    /// <summary>Makes it ready for something other than a message. During a turn, there will be another one.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _isWoken = true;
        }

        MakeReady();
    }

    /// <summary>Ends a turn: ready again if more has come, or if it must go on anyway.</summary>
    public void Rest(bool again)
    {
        lock (_lock)
        {
            _isReady = again || _isWoken || _mailbox.Count > 0;
            _isWoken = false;
            if (!_isReady)
            {
                return;
            }
        }

        _ready.TryWrite(this);
    }

    public void SetRemoved()
    {
        History = null;
        lock (_lock)
        {
            _mailbox.Clear();
        }

        _removed.TrySetResult();
    }

    private void AdoptMessages(IReadOnlyList<StoredMessage> stored)
    {
        _lastSequence = Math.Max(_lastSequence, stored.Count == 0 ? 0 : stored[^1].Sequence);
        lock (_lock)
        {
            _mailbox.Adopt([.. stored.Select(m => new Message(m.Event, m.RowKey, ExecutionId: null))]);
        }
    }

    private sealed class Exit(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
