using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Something for an instance to learn.</summary>
/// <param name="Event">The history event to be.</param>
/// <param name="RowKey">The row it waits in; null for a completion, which follows from history if it is lost.</param>
/// <param name="ExecutionId">The execution whose task it completes; null when it is for whichever is at work.</param>
internal sealed record Message(HistoryEvent Event, string? RowKey, string? ExecutionId);

/// <summary>An unfinished instance in memory. One turn at a time: it stands in the ready queue at most once.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A semaphore without a wait handle holds nothing.")]
internal sealed class LiveInstance(StoredInstance stored, ChannelWriter<LiveInstance> ready)
{
    private readonly Lock _mailbox = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly List<Message> _pending = [.. stored.Messages.Select(AsMessage)];
    private readonly HashSet<(string ExecutionId, int Id)> _dispatched = [];
    private readonly TaskCompletionSource _removed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastSequence = stored.Messages.Count == 0 ? 0 : stored.Messages[^1].Sequence;
    private bool _isReady;

    public string Id => Record.Id;

    /// <summary>As committed. Written only inside <see cref="EnterAsync"/>.</summary>
    public InstanceRecord Record { get; private set; } = stored.Record;

    /// <summary>History of <see cref="Record"/>, unless it was dropped to save memory.</summary>
    public ExecutionHistory? History { get; private set; } = stored.History;

    /// <summary>Rows found that count for nothing.</summary>
    public IReadOnlyList<string> LeftOver { get; set; } = stored.LeftOver;

    /// <summary>Whether it comes fresh from the table, so that what follows from its history has yet to be dispatched.</summary>
    public bool NeedsSettling { get; set; }

    /// <summary>How often in a row its turn asked to be delivered again.</summary>
    public int Redeliveries { get; set; }

    /// <summary>How often in a row storage failed its turn.</summary>
    public int Faults { get; set; }

    /// <summary>Completes when it is finished and nothing is left to do for it.</summary>
    public Task Removed => _removed.Task;

    /// <summary>Whoever holds this may change what is committed, or rely on its not changing.</summary>
    public async Task<IDisposable> EnterAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        return new Exit(_gate);
    }

    public void Commit(InstanceRecord record, ExecutionHistory? history)
    {
        if (!string.Equals(record.ExecutionId, Record.ExecutionId, StringComparison.Ordinal))
        {
            _dispatched.Clear();
        }

        (Record, History) = (record, history);
    }

    public void DropHistory() => History = null;

    /// <summary>Takes what the table says in place of what was remembered. Completions in memory stay: they may not be in the table.</summary>
    public void Adopt(StoredInstance stored)
    {
        Commit(stored.Record, stored.History);
        LeftOver = stored.LeftOver;
        _lastSequence = Math.Max(_lastSequence, stored.Messages.Count == 0 ? 0 : stored.Messages[^1].Sequence);
        lock (_mailbox)
        {
            var waiting = stored.Messages.Select(m => m.RowKey).ToHashSet(StringComparer.Ordinal);
            _pending.RemoveAll(m => m.RowKey is not null && !waiting.Contains(m.RowKey));
            var known = _pending.Select(m => m.RowKey).ToHashSet(StringComparer.Ordinal);
            _pending.AddRange(stored.Messages.Where(m => !known.Contains(m.RowKey)).Select(AsMessage));
        }
    }

    /// <summary>Whether a piece of work is handed out for the first time by this engine.</summary>
    public bool TryDispatch(int id) => _dispatched.Add((Record.ExecutionId, id));

    /// <summary>Above every sequence before it, across restarts as long as the clock does not go back by more than an engine was away.</summary>
    public long NextSequence(DateTimeOffset now) => _lastSequence = Math.Max(_lastSequence + 1, now.UtcTicks);

    public void Post(Message message)
    {
        lock (_mailbox)
        {
            _pending.Add(message);
        }

        MakeReady();
    }

    public bool HasPending(string rowKey)
    {
        lock (_mailbox)
        {
            return _pending.Exists(m => string.Equals(m.RowKey, rowKey, StringComparison.Ordinal));
        }
    }

    public IReadOnlyList<Message> Peek(int max)
    {
        lock (_mailbox)
        {
            return _pending.GetRange(0, Math.Min(max, _pending.Count));
        }
    }

    public void Forget(IEnumerable<Message> messages)
    {
        var gone = messages.ToHashSet(ReferenceEqualityComparer.Instance);
        lock (_mailbox)
        {
            _pending.RemoveAll(gone.Contains);
        }
    }

    public void MakeReady()
    {
        lock (_mailbox)
        {
            if (_isReady)
            {
                return;
            }

            _isReady = true;
        }

        ready.TryWrite(this);
    }

    /// <summary>Ends a turn: ready again if more has come, or if it must go on anyway.</summary>
    public void Rest(bool again)
    {
        lock (_mailbox)
        {
            _isReady = again || _pending.Count > 0;
            if (!_isReady)
            {
                return;
            }
        }

        ready.TryWrite(this);
    }

    public void SetRemoved()
    {
        History = null;
        lock (_mailbox)
        {
            _pending.Clear();
        }

        _removed.TrySetResult();
    }

    private static Message AsMessage(StoredMessage stored) => new(stored.Event, stored.RowKey, null);

    private sealed class Exit(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
