using System.Collections.Concurrent;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>What went wrong for the clients of one load.</summary>
public sealed class SendCounts
{
    private readonly ConcurrentQueue<string> _errors = new();
    private int _others;
    private int _unavailable;
    private int _notLeader;
    private int _cut;

    /// <summary>What clients were told that must not be, in words: anything but success at last.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    /// <summary>503 answers, after the time that a node or gateway looks for a leader: clear, retryable, and none where there is a leader in time.</summary>
    public int Unavailable => Volatile.Read(ref _unavailable);

    /// <summary>Answers that the node asked is not the leader; none may be.</summary>
    public int NotLeader => Volatile.Read(ref _notLeader);

    /// <summary>Requests whose node was killed before it answered; sent again to another with the same stamp.</summary>
    public int Cut => Volatile.Read(ref _cut);

    /// <summary>Errors that are neither of the two.</summary>
    public int Others => Volatile.Read(ref _others);

    /// <summary>A client was told something that must not be.</summary>
    public void AddError(string error)
    {
        Interlocked.Increment(ref _others);
        _errors.Enqueue(error);
    }

    /// <param name="error">Where the client does not ask again.</param>
    internal void AddUnavailable(string? error)
    {
        Interlocked.Increment(ref _unavailable);
        if (error is not null)
        {
            _errors.Enqueue(error);
        }
    }

    internal void AddNotLeader(string error)
    {
        Interlocked.Increment(ref _notLeader);
        _errors.Enqueue(error);
    }

    internal void AddCut() => Interlocked.Increment(ref _cut);
}
