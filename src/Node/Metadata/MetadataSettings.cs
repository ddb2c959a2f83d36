using Baton.Core.Metadata;

namespace Baton.Node.Metadata;

/// <summary>When a metadata command is answered.</summary>
internal enum MetadataCommit
{
    /// <summary>When the log has it. Followers hear of it afterwards, and the answer does not wait for any of them.</summary>
    Wal,

    /// <summary>When the log has it and a majority of the nodes has confirmed it. The older way: it costs a round over the network more, and is kept as the way back and to compare with.</summary>
    Quorum,
}

/// <summary>Section <c>Metadata</c>: the catalogue of topics, nodes and groups.</summary>
internal sealed class MetadataSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Metadata";

    /// <summary>When a command is answered; see <see cref="MetadataCommit"/>.</summary>
    public MetadataCommit Commit { get; set; } = MetadataCommit.Wal;

    /// <summary>Milliseconds that a command waits for a majority with <see cref="MetadataCommit.Quorum"/>; then it is answered 503, although the log has it.</summary>
    public int QuorumTimeoutMs { get; set; } = 5_000;

    /// <summary>Milliseconds that a request waits for a metadata leader that answers. Longer sits out longer failovers; whoever asks must wait at least as long.</summary>
    public int ForwardTimeoutMs { get; set; } = 10_000;

    /// <summary>Milliseconds that a read with <c>minLsn</c> waits for this node's own copy before it is forwarded to the leader.</summary>
    public int ReadWaitMs { get; set; } = 500;

    /// <summary>The first append to partition p of a topic that does not exist creates the topic.</summary>
    public bool AutoCreateTopics { get; set; } = true;

    /// <summary>Partitions of a topic whose creation does not say how many.</summary>
    public int DefaultPartitions { get; set; } = 1;

    /// <summary>Copies of each partition of a topic whose creation does not say how many; as many as there are live nodes where these are fewer.</summary>
    public int DefaultReplicationFactor { get; set; } = 3;

    /// <summary>Seconds between two comparisons of a follower's state with the leader's.</summary>
    public int AntiEntropySeconds { get; set; } = 60;

    /// <summary>Milliseconds between two reports of how far the partitions led here are, for those that have moved.</summary>
    public int HighWatermarkIntervalMs { get; set; } = 5_000;

    /// <summary>Throws when a value makes no sense.</summary>
    /// <exception cref="InvalidOperationException">One does not; the message names it.</exception>
    public void Validate()
    {
        Check(nameof(QuorumTimeoutMs), QuorumTimeoutMs, 10, 60_000);
        Check(nameof(ForwardTimeoutMs), ForwardTimeoutMs, 10, 60_000);
        Check(nameof(ReadWaitMs), ReadWaitMs, 0, 60_000);
        Check(nameof(DefaultPartitions), DefaultPartitions, 1, 1_000);
        Check(nameof(DefaultReplicationFactor), DefaultReplicationFactor, 1, MetadataLimits.MaxReplicationFactor);
        Check(nameof(AntiEntropySeconds), AntiEntropySeconds, 1, 86_400);
        Check(nameof(HighWatermarkIntervalMs), HighWatermarkIntervalMs, 100, 3_600_000);
    }

    private static void Check(string setting, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            throw new InvalidOperationException($"{Section}:{setting} is {value}: give a number from {least} to {most}.");
        }
    }
}
