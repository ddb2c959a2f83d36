using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Time;
using Baton.Core.Transactions;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <content>
/// The machine as bytes, so that opening a channel need not read its whole log: docs/wal-format.md, "Channel snapshot". All that records
/// brought about is in it. The highest tick observed is not: it is this process's clock, not the log's, and a channel opened elsewhere starts
/// without it in any case. Role and source are not either: the configuration tells them.
/// </content>
public sealed partial class ChannelMachine
{
    private const long SnapshotVersion = 2;

    /// <summary>Without the departure. Written no more; read, since the log before such a snapshot may have been deleted.</summary>
    private const long VersionBeforeDepartures = 1;

    /// <summary>The state behind <see cref="LastLsn"/>. Machines that stand at the same place give the same bytes, however they got there.</summary>
    public byte[] EncodeSnapshot() => Encode(SnapshotVersion);

    private byte[] Encode(long version)
    {
        var writer = new SnapshotWriter();
        writer.Number(version);
        writer.Text(ClusterId);
        writer.Text(Channel);
        writer.Number(LastLsn);
        writer.Number(LastTimeTick);
        WriteGate(writer, version);
        WriteTransactions(writer);
        _producers.WriteTo(writer);
        _broadcasts.WriteTo(writer);
        return writer.ToArray();
    }

    /// <summary>The machine that <see cref="EncodeSnapshot"/> was called on; it goes on with the record after its <see cref="LastLsn"/>.</summary>
    /// <param name="clusterId">The cluster that the channel is of.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="content">The snapshot.</param>
    /// <param name="problem">Why the answer is null.</param>
    /// <param name="limits">Bounds. Where they are lower than those it was written under, the tables shrink as they next grow.</param>
    /// <returns>Null where the content is damaged, of an unknown version, or another channel's: the log itself is then to be read.</returns>
    public static ChannelMachine? TryRestore(string clusterId, string channel, ReadOnlyMemory<byte> content, out string? problem, ChannelLimits? limits = null)
    {
        try
        {
            var machine = Read(clusterId, channel, content.Span, limits ?? ChannelLimits.Default, out var version);

            // One state has one form, in each version: rows twice or out of order, numbers or JSON in another form, all show here.
            problem = machine.Encode(version).AsSpan().SequenceEqual(content.Span) ? null : "it is not the form in which its state is written";
            return problem is null ? machine : null;
        }
        catch (Exception e) when (e is WalFormatException or JsonException)
        {
            problem = e.Message;
            return null;
        }
    }

    private static ChannelMachine Read(string clusterId, string channel, ReadOnlySpan<byte> content, ChannelLimits limits, out long version)
    {
        var reader = new SnapshotReader(content);
        version = reader.Number("version");
        if (version is not (SnapshotVersion or VersionBeforeDepartures))
        {
            throw reader.Wrong($"version {version} is unknown");
        }

        var (ofCluster, ofChannel) = (reader.Text("cluster"), reader.Text("channel"));
        if (!string.Equals(ofCluster, clusterId, StringComparison.Ordinal) || !string.Equals(ofChannel, channel, StringComparison.Ordinal))
        {
            throw reader.Wrong($"it is of channel {ofChannel} of cluster {ofCluster}");
        }

        var (lastLsn, lastTimeTick) = (reader.Number("last LSN"), reader.Number("last time tick"));
        var gate = ReadGate(clusterId, channel, version, ref reader);
        var transactions = ReadTransactions(limits.Transactions, ref reader);
        var producers = ProducerTable.ReadFrom(ref reader, limits.Producers, limits.SequencesPerProducer);
        var broadcasts = BroadcastLog.ReadFrom(ref reader, limits.Broadcasts);
        return reader.Left == 0
            ? new ChannelMachine(limits, gate, transactions, producers, broadcasts) { LastLsn = lastLsn, LastTimeTick = lastTimeTick }
            : throw reader.Wrong($"{reader.Left} bytes are left over");
    }

    private void WriteGate(SnapshotWriter writer, long version)
    {
        // As it came: the order of its edges can matter, which a canonical form would lose. It was read from JSON, so it is JSON without loss.
        writer.Bytes(_gate.Configuration is null ? [] : JsonSerializer.SerializeToUtf8Bytes(_gate.Configuration, BatonJson.Options));
        writer.Number(_gate.ForcedBroadcastId);
        writer.Checkpoint(_gate.Checkpoint);
        writer.Flag(_gate.Transaction is not null);
        if (_gate.Transaction is { } transaction)
        {
            writer.Number(transaction.TxnId);
            writer.Number(transaction.BeginLsn);
            writer.Number(transaction.LastSourceLsn);
        }

        if (version > VersionBeforeDepartures)
        {
            writer.Flag(_gate.Departure is not null);
            if (_gate.Departure is { } departure)
            {
                writer.Text(departure.By);
                writer.Number(departure.BroadcastId);
                writer.Checkpoint(departure.From);
                writer.Flag(_gate.SentBack);
            }
        }
    }

    private static ReplicateGate ReadGate(string clusterId, string channel, long version, ref SnapshotReader reader)
    {
        var json = reader.Bytes("configuration");
        var configuration = json.IsEmpty ? null : JsonSerializer.Deserialize<ReplicateConfiguration>(json, BatonJson.Options) ?? throw reader.Wrong("configuration is null");
        var forced = reader.Number("forced broadcast id");
        var checkpoint = reader.Checkpoint("checkpoint");
        var transaction = reader.Flag("replicated transaction")
            ? new ReplicatedTransaction(reader.Number("replicated transaction"), reader.Number("begin LSN"), reader.Number("last source LSN"))
            : null;
        var departure = version > VersionBeforeDepartures && reader.Flag("departure")
            ? new ReplicateDeparture(reader.Text("departure"), reader.Number("departure"), reader.Checkpoint("departure") ?? throw reader.Wrong("a departure from nowhere"))
            : null;
        return ReplicateGate.Restore(clusterId, channel, configuration, forced, checkpoint, transaction, departure, departure is not null && reader.Flag("sent back"));
    }

    private void WriteTransactions(SnapshotWriter writer)
    {
        var (open, ended) = (_transactions.Open, _transactions.Ended);
        writer.Number(open.Count);
        foreach (var session in open)
        {
            writer.Number(session.TxnId);
            writer.Number(session.BeginLsn);
            writer.Number(session.KeepaliveMs);
            writer.Number(session.LastTimeTick);
            writer.Flag(session.Replicated);
        }

        writer.Number(ended.Count);
        foreach (var end in ended)
        {
            writer.Number(end.TxnId);
            writer.Number((long)end.State);
            writer.Number(end.Lsn);
            writer.Number(end.TimeTick);
            writer.Flag(end.ByConfiguration);
        }
    }

    private static TransactionTable ReadTransactions(TransactionLimits limits, ref SnapshotReader reader)
    {
        var open = new TransactionSession[reader.Count("open transactions")];
        for (var i = 0; i < open.Length; i++)
        {
            var session = new TransactionSession(reader.Number("transaction id"), reader.Number("begin LSN"), reader.Number("keepalive"), reader.Number("last time tick"), reader.Flag("replicated"));

            // A keepalive that no expiry can be counted from was never granted.
            open[i] = session.Replicated || session.KeepaliveMs is >= 0 and <= long.MaxValue / TimeTicks.PerMillisecond ? session : throw reader.Wrong($"keepalive {session.KeepaliveMs}");
        }

        var ended = new EndedTransaction[reader.Count("ended transactions")];
        for (var i = 0; i < ended.Length; i++)
        {
            var end = new EndedTransaction(reader.Number("transaction id"), (TransactionState)reader.Number("state"), reader.Number("LSN"), reader.Number("time tick"), reader.Flag("by configuration"));
            ended[i] = end.State is TransactionState.Committed or TransactionState.RolledBack or TransactionState.Expired ? end : throw reader.Wrong($"state {(long)end.State}");
        }

        return TransactionTable.Restore(limits, open, ended);
    }
}
