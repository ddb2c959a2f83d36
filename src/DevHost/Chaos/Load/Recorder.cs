using System.Collections.Concurrent;

namespace Baton.DevHost.Chaos.Load;

/// <summary>How sure the writer of something is that it is in the log.</summary>
public enum Written
{
    /// <summary>It was acknowledged: it must be there.</summary>
    Surely,

    /// <summary>It was sent, and no answer came: it may be there, whole, or not at all.</summary>
    Perhaps,

    /// <summary>It was taken back, or never committed: readers must not see it.</summary>
    Never,
}

/// <summary>A plain message, as its writer knows it.</summary>
/// <param name="Channel">Where it went.</param>
/// <param name="Text">Its content, which no other message has.</param>
/// <param name="Written">How sure that is.</param>
/// <param name="Lsn">Where it was acknowledged; 0 without acknowledgement.</param>
public sealed record RecordedMessage(string Channel, string Text, Written Written, long Lsn = 0);

/// <summary>A transaction, as its writer knows it.</summary>
/// <param name="Channel">Where it ran.</param>
/// <param name="TxnId">Its id.</param>
/// <param name="Texts">Its messages that were acknowledged, in order; no other message has such a content.</param>
/// <param name="Written">How sure its commit is.</param>
public sealed record RecordedTransaction(string Channel, long TxnId, IReadOnlyList<string> Texts, Written Written);

/// <summary>A broadcast that the control plane took on.</summary>
/// <param name="BroadcastId">Its id.</param>
/// <param name="VChannels">Where it goes.</param>
public sealed record RecordedBroadcast(long BroadcastId, IReadOnlyList<string> VChannels);

/// <summary>What the writers of one load know. Everything that any of them sent is in here once, by when its writer has ended.</summary>
public sealed class Recorder
{
    private readonly ConcurrentQueue<RecordedMessage> _messages = new();
    private readonly ConcurrentQueue<RecordedTransaction> _transactions = new();
    private readonly ConcurrentQueue<RecordedBroadcast> _broadcasts = new();
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly ConcurrentDictionary<string, TimeSpan> _acknowledgedAt = new(StringComparer.Ordinal);
    private readonly System.Diagnostics.Stopwatch _clock = System.Diagnostics.Stopwatch.StartNew();

    /// <summary>The plain messages.</summary>
    public IReadOnlyCollection<RecordedMessage> Messages => _messages;

    /// <summary>The transactions.</summary>
    public IReadOnlyCollection<RecordedTransaction> Transactions => _transactions;

    /// <summary>The broadcasts.</summary>
    public IReadOnlyCollection<RecordedBroadcast> Broadcasts => _broadcasts;

    /// <summary>What clients were told that was no success, where that must not be.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>A client was told something that was no success.</summary>
    public void AddError(string error) => _errors.Enqueue(error);

    /// <summary>A writer has sent a message, and knows what there is to know of it.</summary>
    public void Add(RecordedMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message.Written == Written.Surely)
        {
            _acknowledgedAt[message.Text] = _clock.Elapsed;
        }

        _messages.Enqueue(message);
    }

    /// <summary>A writer is done with a transaction.</summary>
    public void Add(RecordedTransaction transaction) => _transactions.Enqueue(transaction);

    /// <summary>The control plane has taken a broadcast on.</summary>
    public void Add(RecordedBroadcast broadcast) => _broadcasts.Enqueue(broadcast);

    /// <summary>How long ago a message was acknowledged; null for one that was not, or not yet.</summary>
    public TimeSpan? SinceAcknowledged(string text) => _acknowledgedAt.TryGetValue(text, out var at) ? _clock.Elapsed - at : null;
}
