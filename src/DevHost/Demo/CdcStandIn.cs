using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Demo;

/// <summary>
/// Ships records from a primary's channel to the secondary's, in the order and form of change data capture, until the product's own CDC exists: plain
/// records as they come, a transaction whole at its commit as begin, bodies, commit (all with the commit's time tick), time ticks never.
/// </summary>
public static class CdcStandIn
{
    /// <summary>The records of a source log after its last change of configuration, as they are to be delivered.</summary>
    /// <param name="log">The source channel's records, in log order, read with isolation all.</param>
    public static IReadOnlyList<ReadMessage> InDeliveryOrder(IReadOnlyList<ReadMessage> log)
    {
        ArgumentNullException.ThrowIfNull(log);
        var start = log.Select((m, i) => (m, i)).Where(p => p.m.Type == WalRecordType.AlterReplicateConfig).Select(p => p.i + 1).DefaultIfEmpty(0).Max();
        var open = new Dictionary<long, List<ReadMessage>>();
        var delivery = new List<ReadMessage>();
        foreach (var message in log.Skip(start))
        {
            switch (message.Type)
            {
                case WalRecordType.TxnBegin:
                    open[message.TxnId!.Value] = [message];
                    break;
                case WalRecordType.TxnBody when open.TryGetValue(message.TxnId!.Value, out var body):
                    body.Add(message);
                    break;
                case WalRecordType.TxnCommit when open.Remove(message.TxnId!.Value, out var transaction):
                    delivery.AddRange([.. transaction.Select(m => m with { TimeTick = message.TimeTick }), message]);
                    break;
                case WalRecordType.TxnRollback:
                    open.Remove(message.TxnId!.Value);
                    break;
                case WalRecordType.TimeTick or WalRecordType.TxnBody or WalRecordType.TxnCommit:
                    break;
                default:
                    delivery.Add(message);
                    break;
            }
        }

        return delivery;
    }

    /// <summary>Delivers records to the secondary's channel, in requests of bounded size.</summary>
    public static async Task<int> DeliverAsync(ClusterClient target, string targetChannel, string sourceCluster, string sourceChannel, IReadOnlyList<ReadMessage> records, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(records);
        const int perRequest = 500;
        var appended = 0;
        foreach (var chunk in records.Chunk(perRequest))
        {
            appended += (await target.ReplicateAsync(targetChannel, new ReplicateRequest(sourceCluster, sourceChannel, chunk), cancellationToken)).Value.Appended;
        }

        return appended;
    }

    /// <summary>The broadcast message inside a record.</summary>
    public static Core.Broadcasts.BroadcastMessage BroadcastOf(ReadMessage record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return JsonSerializer.Deserialize<Core.Broadcasts.BroadcastMessage>(record.Payload, BatonJson.Options)!;
    }
}
