using Baton.Core.Metadata;
using Baton.Core.Replication;
using Baton.Node.Broadcasts;

namespace Baton.Node.Channels;

/// <content>Snapshots of the channel, from which its next opening goes on, and what may be deleted behind them.</content>
internal sealed partial class LedChannel
{
    /// <summary>Payload of owed acks up to which a snapshot is taken. Beyond it the control plane is away and many large broadcasts came meanwhile: the next opening reads them in the log.</summary>
    private const long MaxOwedBytes = 16L * 1024 * 1024;

    private readonly SnapshotWorker _snapshots;

    private async Task<long?> TakeSnapshotAsync(CancellationToken ct)
    {
        if (await CaptureAsync(ct) is not { } capture)
        {
            return null;
        }

        if (capture.OwedBytes > MaxOwedBytes)
        {
            throw new InvalidOperationException($"{capture.Owed.Count} acks of {capture.OwedBytes} bytes are owed to the control plane, more than {MaxOwedBytes} bytes");
        }

        // The machine is ahead of the log. A snapshot of what the log then never got would be a lie.
        await capture.Durable.WaitAsync(ct);
        var content = capture.Encode();
        await _writer.WriteSnapshotAsync(capture.Lsn, content, ct);
        _around.Metrics.SnapshotWritten();
        LogSnapshot(_around.Log, Name, Term, capture.Lsn, content.Length);
        if (capture.NeededFromLsn is { } needed)
        {
            var trim = await _writer.TrimAsync(needed, ct);
            if (trim.Segments > 0)
            {
                LogTrimmed(_around.Log, Name, Term, trim.Segments, trim.Bytes, trim.FirstLsn);
            }
        }

        // What openings and rolls left behind that never came to their end.
        await _store.SweepAsync(Name, ct);
        return content.Length;
    }

    /// <summary>The state, taken in the channel's turn: nobody appends for the milliseconds that this takes. Null where the channel has ended.</summary>
    private async Task<Capture?> CaptureAsync(CancellationToken ct)
    {
        await _exclusive.WaitAsync(ct);
        try
        {
            if (Ended)
            {
                return null;
            }

            var owed = _acks.Owed();
            _sizes.Keep([.. _machine.OpenTransactions.Select(t => t.TxnId)]);
            return new Capture(_machine.LastLsn, _machine.EncodeSnapshot(), _sizes.Sorted(), owed, _metadata?.Head, NeededFromLsn(owed), _tail);
        }
        finally
        {
            _exclusive.Release();
        }
    }

    /// <summary>
    /// The lowest LSN that is still needed; null where nothing may go. Committed readers read an open transaction back from its begin, a broadcast stays to be seen until the control plane
    /// knows of it, and other clusters need what they do not have yet. A channel that has just turned secondary keeps everything: its new source sends the first record when it has taken this log up to that turn.
    /// </summary>
    private long? NeededFromLsn(IReadOnlyList<PendingAck> owed)
    {
        if (_machine is { Role: ClusterRole.Secondary, Checkpoint.TimeTick: 0 } || Cdc.NeededFromLsn(_machine.Configuration) is not { } cdc)
        {
            return null;
        }

        var unconfirmed = Math.Min(_machine.LastConfirmedLsn + 1, cdc);
        return owed.Count == 0 ? unconfirmed : Math.Min(unconfirmed, owed[0].Lsn);
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Channel {Channel} (term {Term}): snapshot at LSN {Lsn}, {LengthBytes} bytes")]
    private static partial void LogSnapshot(ILogger log, string channel, long term, long lsn, int lengthBytes);

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} (term {Term}): deleted {Segments} segments, {LengthBytes} bytes; the history begins at LSN {FirstLsn}")]
    private static partial void LogTrimmed(ILogger log, string channel, long term, int segments, long lengthBytes, long firstLsn);

    /// <param name="Lsn">The last LSN whose effect is in it.</param>
    /// <param name="Machine">The rules' state.</param>
    /// <param name="Sizes">Sizes of open transactions.</param>
    /// <param name="Owed">Acks owed.</param>
    /// <param name="Metadata">The catalogue, where the channel is its log.</param>
    /// <param name="NeededFromLsn">What must be kept, or null for all.</param>
    /// <param name="Durable">Completes when the log has <paramref name="Lsn"/>.</param>
    private sealed record Capture(long Lsn, byte[] Machine, SortedDictionary<long, long> Sizes, IReadOnlyList<PendingAck> Owed, MetadataState? Metadata, long? NeededFromLsn, Task Durable)
    {
        public long OwedBytes => Owed.Sum(o => (long)(o.Request.Message.Payload?.Length ?? 0));

        public byte[] Encode() => new ChannelSnapshot(ChannelSnapshot.Present, Machine, Sizes, [.. Owed.Select(o => new OwedAck(o.Lsn, o.BroadcastId, o.Request))], Metadata is null ? null : MetadataSnapshot.Encode(Metadata)).Encode();
    }
}
