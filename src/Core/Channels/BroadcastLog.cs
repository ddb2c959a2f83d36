using Baton.Core.Broadcasts;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>The latest broadcast records of a channel, so that one sent again is answered and not appended again.</summary>
internal sealed class BroadcastLog(int limit)
{
    private readonly Dictionary<(long BroadcastId, string VChannel), BroadcastResult> _results = [];
    private readonly Queue<(long, string)> _oldestFirst = new();

    /// <summary>The result of the broadcast on a vchannel, or null.</summary>
    public BroadcastResult? Find(long broadcastId, string vchannel) => _results.GetValueOrDefault((broadcastId, vchannel));

    /// <summary>A record is in the log. The first one counts.</summary>
    public void Add(long broadcastId, string vchannel, BroadcastResult result)
    {
        if (!_results.TryAdd((broadcastId, vchannel), result))
        {
            return;
        }

        _oldestFirst.Enqueue((broadcastId, vchannel));
        while (_oldestFirst.Count > limit)
        {
            _results.Remove(_oldestFirst.Dequeue());
        }
    }

    /// <summary>Writes all that is remembered, in the log's order.</summary>
    public void WriteTo(SnapshotWriter writer)
    {
        writer.Number(_oldestFirst.Count);
        foreach (var (broadcastId, vchannel) in _oldestFirst)
        {
            var result = _results[(broadcastId, vchannel)];
            writer.Number(broadcastId);
            writer.Text(vchannel);
            writer.Number(result.Ack.Lsn);
            writer.Number(result.Ack.LastConfirmedLsn);
            writer.Number(result.Ack.TimeTick);
            writer.Number(result.RolledBackTxnIds.Count);
            foreach (var txnId in result.RolledBackTxnIds)
            {
                writer.Number(txnId);
            }

            writer.Checkpoint(result.LastReplicated);
        }
    }

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    /// <exception cref="WalFormatException">It is something else.</exception>
    public static BroadcastLog ReadFrom(ref SnapshotReader reader, int limit)
    {
        var log = new BroadcastLog(limit);
        var count = reader.Count("broadcasts");
        log._results.EnsureCapacity(count);
        for (var left = count; left > 0; left--)
        {
            var key = (reader.Number("broadcast id"), reader.Text("vchannel"));
            var ack = new BroadcastAck(reader.Number("LSN"), reader.Number("confirmed LSN"), reader.Number("time tick"));
            var rolledBack = new long[reader.Count("transactions rolled back")];
            for (var i = 0; i < rolledBack.Length; i++)
            {
                rolledBack[i] = reader.Number("transaction id");
            }

            if (!log._results.TryAdd(key, new BroadcastResult(ack, rolledBack, reader.Checkpoint("last replicated"))))
            {
                throw reader.Wrong($"broadcast {key} is there twice");
            }

            log._oldestFirst.Enqueue(key);
        }

        return log;
    }

    /// <summary>All that is remembered, in the log's order.</summary>
    public IEnumerable<string> Describe() => _oldestFirst.Select(k =>
        $"{k}: {_results[k].Ack} rolled back [{string.Join(", ", _results[k].RolledBackTxnIds)}] {_results[k].LastReplicated}");
}
