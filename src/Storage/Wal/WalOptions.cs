namespace Baton.Storage.Wal;

/// <summary>Section <c>Wal</c>: bounds of the log. The defaults suit; tests lower them to see the edges.</summary>
public sealed class WalOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Wal";

    /// <summary>For readers that are made without options.</summary>
    internal const int DefaultReadRangeBytes = 4 * 1024 * 1024;

    /// <summary>Blocks of a segment, its header included, before the next one is begun. The service's own limit is 50,000.</summary>
    public int MaxSegmentBlocks { get; set; } = 45_000;

    /// <summary>Bytes of a segment before the next one is begun.</summary>
    public long MaxSegmentBytes { get; set; } = 256L * 1024 * 1024;

    /// <summary>Bytes that one call carries when more are waiting. A single append larger than this goes alone.</summary>
    public int MaxBatchBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Records that one call carries when more are waiting. A single append of more goes alone.</summary>
    public int MaxBatchRecords { get; set; } = 100_000;

    /// <summary>How long a batch that could be written waits for company, in milliseconds. 0: not at all, and what comes while a call is in flight shares the next one all the same.
    /// More: fewer and larger calls where calls cost money, and every lone append is that much slower.</summary>
    public int LingerMs { get; set; }

    /// <summary>Bytes that may wait for the storage, a channel; the append that reaches it is the last one taken. Above it appends wait, then are refused, so that memory is bounded and callers feel the pressure.</summary>
    public long MaxQueuedBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>How long an append waits at most for room below <see cref="MaxQueuedBytes"/>, in milliseconds. 0: refused at once.</summary>
    public int QueueWaitMs { get; set; } = 1_000;

    /// <summary>How often one storage call is tried before the writer gives up. Fewer: a short outage of the storage costs a change of leader. More: the owner learns later.</summary>
    public int MaxAttempts { get; set; } = 10;

    /// <summary>How long one step is tried before the writer gives up, in milliseconds, when it was tried three times at least: with a storage that hangs, each attempt takes as long as its client waits.</summary>
    public int GiveUpMs { get; set; } = 10_000;

    /// <summary>Pause before the second attempt, in milliseconds; doubles from there.</summary>
    public int RetryDelayMs { get; set; } = 20;

    /// <summary>Longest pause between two attempts, in milliseconds.</summary>
    public int RetryMaxDelayMs { get; set; } = 2_000;

    /// <summary>How long closing a writer waits for what is queued, in milliseconds. Then its end is left open: opening again shows it.</summary>
    public int CloseTimeoutMs { get; set; } = 5_000;

    /// <summary>Bytes of the largest range that one call of a reader fetches; a reader holds twice as many at most, and only while it goes through a segment. Fewer: more calls. More: more memory, and more to fetch again when a call breaks.</summary>
    public int ReadRangeBytes { get; set; } = DefaultReadRangeBytes;

    /// <summary>How soon who follows a log looks again after something came, in milliseconds; doubles from there while nothing comes. A hint from the leader makes it look at once.</summary>
    public int PollDelayMs { get; set; } = 10;

    /// <summary>Longest pause between two looks at a log that does not move, in milliseconds: what a record is late by at most when no hint arrives, and what an idle follower costs, two calls each time.</summary>
    public int PollMaxDelayMs { get; set; } = 1_000;

    /// <summary>Bytes that a snapshot may have. It is held in memory whole when it is written and when a channel is opened.</summary>
    public long MaxSnapshotBytes { get; set; } = 512L * 1024 * 1024;

    /// <summary>Snapshots that are kept. More than one: if the newest is damaged, an older one and the log behind it still give the state. The log is kept from the oldest on.</summary>
    public int SnapshotsKept { get; set; } = 2;

    /// <summary>Age, in milliseconds since its sealing, from which a segment that nobody needs may go.</summary>
    public long RetainMs { get; set; } = 7L * 24 * 60 * 60 * 1_000;

    /// <summary>Bytes of sealed segments above which those that nobody needs go whatever their age.</summary>
    public long RetainBytes { get; set; } = 64L * 1024 * 1024 * 1024;

    /// <summary>Longest time, in milliseconds, for which one pin keeps history; a reader that takes longer sets it again. Bounds what a reader that died can hold.</summary>
    public long MaxPinMs { get; set; } = 24L * 60 * 60 * 1_000;

    /// <summary>Throws when a value makes no sense; the message names the setting, its value and what it may be.</summary>
    /// <exception cref="InvalidOperationException">One does not.</exception>
    public void Validate()
    {
        Require(MaxSegmentBlocks, 2, 49_999, nameof(MaxSegmentBlocks));
        Require(MaxSegmentBytes, 1, 100L * 1024 * 1024 * 1024, nameof(MaxSegmentBytes));
        Require(MaxBatchBytes, 1, 16 * 1024 * 1024, nameof(MaxBatchBytes));
        Require(MaxBatchRecords, 1, 1_000_000, nameof(MaxBatchRecords));
        Require(LingerMs, 0, 10_000, nameof(LingerMs));
        Require(QueueWaitMs, 0, 60_000, nameof(QueueWaitMs));
        Require(MaxQueuedBytes, 1, long.MaxValue, nameof(MaxQueuedBytes));
        Require(MaxAttempts, 1, 1_000, nameof(MaxAttempts));
        Require(GiveUpMs, 1, 600_000, nameof(GiveUpMs));
        Require(RetryDelayMs, 0, 60_000, nameof(RetryDelayMs));
        Require(RetryMaxDelayMs, RetryDelayMs, 60_000, nameof(RetryMaxDelayMs));
        Require(CloseTimeoutMs, 0, 600_000, nameof(CloseTimeoutMs));
        Require(ReadRangeBytes, 4 * 1024, 16 * 1024 * 1024, nameof(ReadRangeBytes));
        Require(PollDelayMs, 1, 60_000, nameof(PollDelayMs));
        Require(PollMaxDelayMs, PollDelayMs, 600_000, nameof(PollMaxDelayMs));
        Require(MaxSnapshotBytes, 1, Core.Wal.WalSnapshotCodec.MaxContentSizeBytes, nameof(MaxSnapshotBytes));
        Require(SnapshotsKept, 1, 100, nameof(SnapshotsKept));
        Require(RetainMs, 0, 100L * 366 * 24 * 60 * 60 * 1_000, nameof(RetainMs));
        Require(RetainBytes, 0, long.MaxValue, nameof(RetainBytes));
        Require(MaxPinMs, 1, 366L * 24 * 60 * 60 * 1_000, nameof(MaxPinMs));
    }

    private static void Require(long value, long least, long most, string name)
    {
        if (value < least || value > most)
        {
            throw new InvalidOperationException($"Setting '{Section}:{name}' is {value}; it must be {least} to {most}.");
        }
    }
}
