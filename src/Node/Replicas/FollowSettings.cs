namespace Baton.Node.Replicas;

/// <summary>Section <c>Follow</c>: how leaders push and replicas follow.</summary>
internal sealed class FollowSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Follow";

    /// <summary>Replicas that may follow one channel at a time.</summary>
    public const int MaxSubscribers = 16;

    /// <summary>Nodes that may follow the metadata at a time: all of a cluster do.</summary>
    public const int MaxMetadataSubscribers = 1_000;

    /// <summary>Bytes that a leader keeps for one replica that does not take them. Beyond it the replica is disconnected, and fetches from the storage what it missed.</summary>
    public int FeedQueueBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Milliseconds without a push after which a leader says that it is still there.</summary>
    public int FeedIdleMs { get; set; } = 1_000;

    /// <summary>Milliseconds without a word from its leader after which a replica gives the connection up; several times <see cref="FeedIdleMs"/>. It is also what connecting may take.</summary>
    public int SilenceMs { get; set; } = 4_000;

    /// <summary>Bytes of pushed batches that a replica keeps while they are not durable yet, or not yet on its disk. Beyond it they are dropped and fetched from the storage.</summary>
    public int HeldBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Milliseconds before a replica tries again after a failure; doubled up to <see cref="RetryMaxDelayMs"/>.</summary>
    public int RetryDelayMs { get; set; } = 100;

    /// <summary>The longest pause between two tries.</summary>
    public int RetryMaxDelayMs { get; set; } = 5_000;

    /// <summary>Milliseconds between two reports of a replica's progress to its leader.</summary>
    public int ProgressIntervalMs { get; set; } = 100;

    /// <summary>Milliseconds without a call after which a recovery session no longer binds a replica, which then follows again by itself.</summary>
    public int SessionIdleMs { get; set; } = 60_000;

    /// <summary>Throws when a value makes no sense.</summary>
    /// <exception cref="InvalidOperationException">One does not; the message names it.</exception>
    public void Validate()
    {
        Check(nameof(FeedQueueBytes), FeedQueueBytes, 1024, 1024 * 1024 * 1024);
        Check(nameof(FeedIdleMs), FeedIdleMs, 10, 60_000);
        Check(nameof(SilenceMs), SilenceMs, 20, 600_000);
        Check(nameof(HeldBytes), HeldBytes, 1024, 1024 * 1024 * 1024);
        Check(nameof(RetryDelayMs), RetryDelayMs, 1, 60_000);
        Check(nameof(RetryMaxDelayMs), RetryMaxDelayMs, 1, 600_000);
        Check(nameof(ProgressIntervalMs), ProgressIntervalMs, 1, 60_000);
        Check(nameof(SessionIdleMs), SessionIdleMs, 100, 3_600_000);
        if (SilenceMs < 2L * FeedIdleMs)
        {
            throw new InvalidOperationException($"{Section}:{nameof(SilenceMs)} is {SilenceMs}: give at least twice {Section}:{nameof(FeedIdleMs)}, which is {FeedIdleMs}, or every pause of a leader looks like its death.");
        }

        if (RetryMaxDelayMs < RetryDelayMs)
        {
            throw new InvalidOperationException($"{Section}:{nameof(RetryMaxDelayMs)} is {RetryMaxDelayMs}: give at least {Section}:{nameof(RetryDelayMs)}, which is {RetryDelayMs}.");
        }
    }

    private static void Check(string setting, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            throw new InvalidOperationException($"{Section}:{setting} is {value}: give a number from {least} to {most}.");
        }
    }
}
