using System.Collections.Concurrent;
using Baton.Edge.Metrics;
using Baton.Node.Channels;
using Baton.Node.Metadata;
using Baton.Node.Replicas;

namespace Baton.Node.Status;

/// <summary>
/// The numbers of a node: docs/metrics.md. Counters live as long as the process; gauges are read when asked. Nothing that is counted on the way of a
/// request takes a lock that channels share.
/// </summary>
internal sealed class NodeMetrics
{
    private readonly ConcurrentDictionary<string, ChannelCounts> _channels = new(StringComparer.Ordinal);
    private readonly LabelledCounts<string> _openings = new();
    private readonly LabelledCounts<string> _leadershipEnds = new();
    private readonly LabelledCounts<(string Call, string Outcome)> _controlPlaneCalls = new();
    private readonly DurationHistogram _appendSeconds = DurationHistogram.OfCalls();
    private readonly DurationHistogram _openSeconds = DurationHistogram.OfCalls();
    private readonly TimeProvider _time;
    private long _snapshotsWritten;
    private long _snapshotsFailed;
    private long _lastHeartbeat;

    public NodeMetrics(TimeProvider? time = null) => (_time, _lastHeartbeat) = (time ?? TimeProvider.System, (time ?? TimeProvider.System).GetTimestamp());

    /// <summary>Requests.</summary>
    public RequestMetrics Requests { get; } = new();

    /// <summary>Change data capture.</summary>
    public CdcMetrics Cdc { get; } = new();

    /// <summary>Snapshots that failed.</summary>
    public long SnapshotsFailed => Volatile.Read(ref _snapshotsFailed);

    /// <summary>A forced configuration ended <paramref name="count"/> transactions of a channel.</summary>
    public void TransactionsRolledBack(string channel, int count) => Of(channel).AddRolledBack(count);

    /// <summary>A channel was opened, in <paramref name="elapsed"/>, by reading <paramref name="records"/> records behind its snapshot.</summary>
    public void Opened(string channel, int records, TimeSpan elapsed)
    {
        Of(channel).AddReplayed(records);
        _openings.Add("opened");
        _openSeconds.Record(elapsed);
    }

    /// <summary>A channel could not be opened.</summary>
    /// <param name="refused">Its log has seen this term or a higher one.</param>
    public void OpenFailed(bool refused) => _openings.Add(refused ? "refused" : "failed");

    /// <summary>This node leads a channel no more.</summary>
    public void LeadershipEnded(LeadershipEnd end) => _leadershipEnds.Add(end switch
    {
        LeadershipEnd.Closed => "closed",
        LeadershipEnd.Fenced => "fenced",
        _ => "faulted",
    });

    /// <summary>A snapshot is in the storage.</summary>
    public void SnapshotWritten() => Interlocked.Increment(ref _snapshotsWritten);

    /// <summary>A snapshot was not written, or what it makes superfluous was not deleted.</summary>
    public void SnapshotFailed() => Interlocked.Increment(ref _snapshotsFailed);

    /// <summary>An append of <paramref name="records"/> records became durable <paramref name="elapsed"/> after it was handed to the log.</summary>
    public void Appended(string channel, int records, TimeSpan elapsed)
    {
        Of(channel).Appended(records);
        _appendSeconds.Record(elapsed);
    }

    /// <summary>A request was answered 429. Counted for channels that were led here: a caller names what it likes.</summary>
    public void Overloaded(string channel)
    {
        if (_channels.TryGetValue(channel, out var counts))
        {
            counts.Overloaded();
        }
    }

    /// <summary>A call to the control plane was answered, or not.</summary>
    /// <param name="call">Which.</param>
    /// <param name="answered">With a success.</param>
    public void ControlPlaneCalled(string call, bool answered) => _controlPlaneCalls.Add((call, answered ? "ok" : "failed"));

    /// <summary>A join or a heartbeat was taken.</summary>
    public void HeartbeatTaken() => Volatile.Write(ref _lastHeartbeat, _time.GetTimestamp());

    /// <summary>Prometheus text, format 0.0.4.</summary>
    public string Print(ChannelTable channels, ReplicaTable replicas, long incarnation, MetadataMetrics metadata)
    {
        var text = new MetricText();
        var held = channels.Held();
        Requests.PrintTo(text);
        CountsOfChannels(text);
        text.Family("baton_wal_append_seconds", "histogram", "From handing records to the log to their being durable.");
        _appendSeconds.PrintTo(text);
        Family(text, "baton_wal_snapshots_total", "counter", "Snapshots of channels.", [("written", Volatile.Read(ref _snapshotsWritten)), ("failed", SnapshotsFailed)], "status");
        Family(text, "baton_channel_openings_total", "counter", "Channels opened here, and openings that failed.", Of(_openings), "outcome");
        text.Family("baton_channel_open_seconds", "histogram", "From the order to open a channel to its being served.");
        _openSeconds.PrintTo(text);
        text.Family("baton_channel_openings_under_way", "gauge", "Channels that are being opened now.").Sample(channels.OpeningsUnderWay);
        text.Family("baton_channel_openings_waiting", "gauge", "Orders to open a channel that wait for their turn.").Sample(channels.OpeningsWaiting);
        text.Family("baton_node_requests_waiting_for_term", "gauge", "Requests that wait for their channel to be opened here.").Sample(channels.RequestsWaiting);
        Family(text, "baton_channel_leadership_ends_total", "counter", "Channels that this node stopped leading.", Of(_leadershipEnds), "reason");
        ControlPlane(text, incarnation);
        Family(text, "baton_node_channel_term", "gauge", "Term of each channel led here.", held.Select(c => (c.Name, c.Term)));
        Family(text, "baton_node_last_durable_lsn", "gauge", "Last durable LSN of each channel led here.", held.Select(c => (c.Name, c.LastDurableLsn)));
        Family(text, "baton_node_open_transactions", "gauge", "Open transactions of each channel led here.", held.Select(c => (c.Name, (long)c.OpenTransactions)));
        Family(text, "baton_node_waiting_readers", "gauge", "Reads that wait for the channel to grow.", held.Select(c => (c.Name, (long)c.WaitingReaders)));
        Family(text, "baton_node_log_queued_bytes", "gauge", "Bytes that wait for the storage.", held.Select(c => (c.Name, c.QueuedBytes)));
        Family(text, "baton_node_broadcast_acks_pending", "gauge", "Acks of replicated broadcasts on their way to the control plane.", held.Select(c => (c.Name, (long)c.PendingAcks)));
        Replicas(text, held, replicas);
        Cdc.PrintTo(text, held);
        metadata.PrintTo(text, channels);
        ProcessMetrics.PrintTo(text, _time.GetUtcNow());
        return text.ToString();
    }

    /// <summary>A family with one label: of channels, unless <paramref name="label"/> says otherwise.</summary>
    private static void Family(MetricText text, string name, string type, string help, IEnumerable<(string Of, long Value)> values, string label = "channel")
    {
        text.Family(name, type, help);
        foreach (var (of, value) in values.OrderBy(v => v.Of, StringComparer.Ordinal))
        {
            text.Sample(value, (label, of));
        }
    }

    private static IEnumerable<(string Of, long Value)> Of(LabelledCounts<string> counts) => counts.Read();

    private void CountsOfChannels(MetricText text)
    {
        var counts = _channels.ToArray();
        Family(text, "baton_txn_rollback_after_failover_total", "counter", "Transactions ended by a forced configuration.", counts.Select(c => (c.Key, c.Value.RolledBack)));
        Family(text, "baton_node_appends_total", "counter", "Appends made durable: requests, or parts of requests, that wrote something.", counts.Select(c => (c.Key, c.Value.Appends)));
        Family(text, "baton_node_appended_records_total", "counter", "Records made durable.", counts.Select(c => (c.Key, c.Value.AppendedRecords)));
        Family(text, "baton_node_overloads_total", "counter", "Requests answered 429.", counts.Select(c => (c.Key, c.Value.Overloads)));
        Family(text, "baton_wal_replayed_records_total", "counter", "Records read behind the snapshot when a channel was opened.", counts.Select(c => (c.Key, c.Value.Replayed)));
    }

    private void ControlPlane(MetricText text, long incarnation)
    {
        text.Family("baton_node_control_plane_calls_total", "counter", "Calls to the control plane, by call and outcome.");
        foreach (var ((call, outcome), count) in _controlPlaneCalls.Read().OrderBy(c => c.Labels))
        {
            text.Sample(count, ("call", call), ("outcome", outcome));
        }

        text.Family("baton_node_last_heartbeat_age_seconds", "gauge", "Since the last join or heartbeat that the control plane took; before the first, since the start.")
            .Sample(_time.GetElapsedTime(Volatile.Read(ref _lastHeartbeat)).TotalSeconds);
        text.Family("baton_node_incarnation", "gauge", "What the control plane knows this node by; 0 while it has not joined.").Sample(incarnation);
    }

    private ChannelCounts Of(string channel) => _channels.GetOrAdd(channel, static _ => new ChannelCounts());

    private static void Replicas(MetricText text, IReadOnlyList<LedChannel> held, ReplicaTable replicas)
    {
        var followed = replicas.Followed();
        Family(text, "baton_replica_flushed_lsn", "gauge", "Last LSN on this node's disk of each channel followed here.", followed.Select(f => (f.Channel, f.FlushedLsn)));
        Family(text, "baton_replica_lag_records", "gauge", "Durable records, as far as known here, that are not on this node's disk.", followed.Select(f => (f.Channel, f.LagRecords)));
        Family(text, "baton_replica_feeds", "gauge", "Replicas that follow each channel led here.", held.Select(c => (c.Name, (long)c.Feeds)));
        Family(
            text,
            "baton_recovery_sessions",
            "gauge",
            "Recovery sessions that replicas here are bound by.",
            Follower.SessionStates.Select(state => (state, (long)followed.Count(f => f.SessionState == state))),
            "state");
    }
}
