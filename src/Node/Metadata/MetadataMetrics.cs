using Baton.Core.Cluster;
using Baton.Edge.Metrics;
using Baton.Node.Channels;

namespace Baton.Node.Metadata;

/// <summary>The numbers of the catalogue: docs/metrics.md.</summary>
internal sealed class MetadataMetrics(MetadataCopy copy)
{
    private long _commands;
    private long _forwarded;
    private long _gaps;
    private long _equal;
    private long _different;
    private long _incomparable;
    private double _recoverySeconds;

    /// <summary>Commands are durable.</summary>
    public void Written(int commands) => Interlocked.Add(ref _commands, commands);

    /// <summary>A request was sent on to the leader.</summary>
    public void Forwarded() => Interlocked.Increment(ref _forwarded);

    /// <summary>Something that the leader called durable had not been pushed, and was read from the log.</summary>
    public void Gap() => Interlocked.Increment(ref _gaps);

    /// <summary>This copy was compared with the leader's; null: the two could not be had at one LSN.</summary>
    public void Compared(bool? equal) => Interlocked.Increment(ref equal is null ? ref _incomparable : ref equal.Value ? ref _equal : ref _different);

    /// <summary>This copy was made from the log.</summary>
    public void Recovered(TimeSpan elapsed) => Volatile.Write(ref _recoverySeconds, elapsed.TotalSeconds);

    /// <summary>Prints them.</summary>
    public void PrintTo(MetricText text, ChannelTable channels)
    {
        var led = channels.Find(MetadataChannel.Name);
        text.Family("baton_metadata_is_leader", "gauge", "Whether this node leads the metadata.").Sample(led is null ? 0 : 1);
        text.Family("baton_metadata_lsn", "gauge", "LSN of this node's copy of the catalogue.").Sample(copy.State.LastLsn);
        text.Family("baton_metadata_age_seconds", "gauge", "Since this node's copy was known to be as the leader's; 0 at the leader, no value before the first time.");
        if (led is not null || copy.Age is not null)
        {
            text.Sample(led is null ? copy.Age!.Value.TotalSeconds : 0);
        }

        text.Family("baton_metadata_commands_total", "counter", "Metadata commands of clients and other nodes written here.").Sample(Volatile.Read(ref _commands));
        text.Family("baton_metadata_forwards_total", "counter", "Metadata requests sent on to the leader, repeats included.").Sample(Volatile.Read(ref _forwarded));
        text.Family("baton_metadata_gaps_total", "counter", "Times that this copy read from the log what the leader had not pushed.").Sample(Volatile.Read(ref _gaps));
        text.Family("baton_metadata_comparisons_total", "counter", "Comparisons of this copy with the leader's state; different must stay 0.")
            .Sample(Volatile.Read(ref _equal), ("outcome", "equal"))
            .Sample(Volatile.Read(ref _different), ("outcome", "different"))
            .Sample(Volatile.Read(ref _incomparable), ("outcome", "none"));
        text.Family("baton_metadata_recovery_seconds", "gauge", "What it took to make this copy from the log the last time.").Sample(Volatile.Read(ref _recoverySeconds));
    }
}
