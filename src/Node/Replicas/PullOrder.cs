using Baton.Core.Api;

namespace Baton.Node.Replicas;

/// <summary>An order of a recovery session that runs on behind its answer: to come to a target, from where the replica is or from nothing. The same order again finds this one.</summary>
/// <param name="sessionId">Whose it is.</param>
/// <param name="source">What a rebuild begins with; null for a catch-up.</param>
/// <param name="targetLsn">How far to come.</param>
internal sealed class PullOrder(long sessionId, string? source, long targetLsn)
{
    private readonly TaskCompletionSource<bool> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _bytes;
    private volatile string _phase = source is null ? "catchup" : "source_select";

    /// <summary>What a rebuild begins with; null for a catch-up.</summary>
    public string? Source { get; } = source;

    /// <summary>How far to come.</summary>
    public long TargetLsn { get; } = targetLsn;

    /// <summary>A rebuild's phase.</summary>
    public string Phase
    {
        get => _phase;
        set => _phase = value;
    }

    /// <summary>The replica's own copy has been dropped for this order. It is not dropped for it again.</summary>
    public bool Prepared { get; set; }

    /// <summary>The snapshot that the copy begins behind.</summary>
    public long? SnapshotLsn { get; set; }

    /// <summary>Bytes that were taken over for this order.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>True when the target is on the disk, false when this order cannot get there.</summary>
    public Task<bool> Ended => _ended.Task;

    /// <summary>It has ended at its target.</summary>
    public bool Done => _ended.Task is { IsCompletedSuccessfully: true, Result: true };

    /// <summary>It has ended before its target.</summary>
    public bool Failed => _ended.Task is { IsCompletedSuccessfully: true, Result: false };

    /// <summary>Why it has failed, where the caller did something that cannot be done.</summary>
    public ApiException? Refusal { get; private set; }

    /// <summary>Whether an order that comes in is this one.</summary>
    public bool Is(long session, string? from, long target) => sessionId == session && Source == from && TargetLsn == target;

    /// <summary>Notes a batch that was taken over.</summary>
    public void Took(int bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>It ends, once. For the owner of the log.</summary>
    public void End(bool done, ApiException? refusal = null)
    {
        if (!_ended.Task.IsCompleted)
        {
            Refusal = refusal;
            _phase = done ? "completed" : "aborted";
            _ended.TrySetResult(done);
        }
    }
}
