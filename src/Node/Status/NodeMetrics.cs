using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Baton.Node.Channels;

namespace Baton.Node.Status;

/// <summary>The few numbers of the skeleton, in Prometheus text. Counters live as long as the process; gauges are read when asked.</summary>
internal sealed class NodeMetrics
{
    private static readonly double[] BucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly ConcurrentDictionary<string, long> _rolledBack = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _appended = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _replayed = new(StringComparer.Ordinal);
    private readonly long[] _appendBuckets = new long[BucketsSeconds.Length + 1];
    private readonly Lock _lock = new();
    private double _appendSeconds;
    private long _snapshotsWritten;
    private long _snapshotsFailed;

    /// <summary>A forced configuration ended <paramref name="count"/> transactions of a channel.</summary>
    public void TransactionsRolledBack(string channel, int count) => _rolledBack.AddOrUpdate(channel, count, (_, now) => now + count);

    /// <summary>A channel was opened by reading <paramref name="records"/> records behind its snapshot.</summary>
    public void Replayed(string channel, int records) => _replayed.AddOrUpdate(channel, records, (_, now) => now + records);

    /// <summary>Snapshots that failed.</summary>
    public long SnapshotsFailed => Volatile.Read(ref _snapshotsFailed);

    /// <summary>A snapshot is in the storage.</summary>
    public void SnapshotWritten() => Interlocked.Increment(ref _snapshotsWritten);

    /// <summary>A snapshot was not written, or what it makes superfluous was not deleted.</summary>
    public void SnapshotFailed() => Interlocked.Increment(ref _snapshotsFailed);

    /// <summary>An append of <paramref name="records"/> records became durable <paramref name="elapsed"/> after it was handed to the log.</summary>
    public void Appended(string channel, int records, TimeSpan elapsed)
    {
        _appended.AddOrUpdate(channel, records, (_, now) => now + records);
        var bucket = 0;
        while (bucket < BucketsSeconds.Length && elapsed.TotalSeconds > BucketsSeconds[bucket])
        {
            bucket++;
        }

        lock (_lock)
        {
            _appendBuckets[bucket]++;
            _appendSeconds += elapsed.TotalSeconds;
        }
    }

    /// <summary>Prometheus text, format 0.0.4.</summary>
    public string Print(ChannelTable channels)
    {
        var text = new StringBuilder();
        var held = channels.Held();
        Family(text, "baton_txn_rollback_after_failover_total", "counter", "Transactions ended by a forced configuration.", _rolledBack.Select(c => (c.Key, c.Value)));
        Family(text, "baton_node_appended_records_total", "counter", "Records made durable.", _appended.Select(c => (c.Key, c.Value)));
        Family(text, "baton_wal_replayed_records_total", "counter", "Records read behind the snapshot when a channel was opened.", _replayed.Select(c => (c.Key, c.Value)));
        Family(text, "baton_wal_snapshots_total", "counter", "Snapshots of channels.", [("written", Volatile.Read(ref _snapshotsWritten)), ("failed", SnapshotsFailed)], "status");
        Family(text, "baton_node_channel_term", "gauge", "Term of each channel led here.", held.Select(c => (c.Name, c.Term)));
        Family(text, "baton_node_last_durable_lsn", "gauge", "Last durable LSN of each channel led here.", held.Select(c => (c.Name, c.LastDurableLsn)));
        Family(text, "baton_node_broadcast_acks_pending", "gauge", "Acks of replicated broadcasts on their way to the control plane.", held.Select(c => (c.Name, (long)c.PendingAcks)));
        AppendSeconds(text);
        return text.ToString();
    }

    private static void Family(StringBuilder text, string name, string type, string help, IEnumerable<(string Of, long Value)> values, string label = "channel")
    {
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
        foreach (var (of, value) in values)
        {
            // Channel names are ids of the API: nothing in them needs escaping.
            text.Append(CultureInfo.InvariantCulture, $"{name}{{{label}=\"{of}\"}} {value}\n");
        }
    }

    private void AppendSeconds(StringBuilder text)
    {
        const string Name = "baton_wal_append_seconds";
        text.Append(CultureInfo.InvariantCulture, $"# HELP {Name} From handing records to the log to their being durable.\n# TYPE {Name} histogram\n");
        lock (_lock)
        {
            var count = 0L;
            for (var i = 0; i < BucketsSeconds.Length; i++)
            {
                count += _appendBuckets[i];
                text.Append(CultureInfo.InvariantCulture, $"{Name}_bucket{{le=\"{BucketsSeconds[i]}\"}} {count}\n");
            }

            count += _appendBuckets[^1];
            text.Append(CultureInfo.InvariantCulture, $"{Name}_bucket{{le=\"+Inf\"}} {count}\n{Name}_sum {_appendSeconds}\n{Name}_count {count}\n");
        }
    }
}
