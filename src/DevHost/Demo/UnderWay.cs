using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Demo;

/// <summary>
/// What a's CDC had under way when a died: a broadcast on the first of its two channels, and a transaction without its commit. Which bytes of a real request get out is chance, so the
/// demonstration takes the records from a's log while a lives, and delivers them in a's name when a is dead, in the form in which CDC does.
/// </summary>
/// <param name="Records">The records, in the order of delivery.</param>
/// <param name="TransactionId">The transaction.</param>
internal sealed record UnderWay(IReadOnlyList<ReadMessage> Records, long TransactionId)
{
    /// <summary>Takes them from the log of a channel, read with isolation all.</summary>
    public static UnderWay Of(IReadOnlyList<ReadMessage> log, long broadcastId)
    {
        var commit = log.Last(m => m.Type == WalRecordType.TxnCommit);
        return new UnderWay(
            [
                log.Single(m => m.BroadcastId == broadcastId),
                .. log.Where(m => m.TxnId == commit.TxnId && m.Type is WalRecordType.TxnBegin or WalRecordType.TxnBody).Select(m => m with { TimeTick = commit.TimeTick }),
            ],
            commit.TxnId!.Value);
    }

    /// <summary>Delivers them.</summary>
    /// <returns>How many were taken.</returns>
    public async Task<int> DeliverAsync(LocalCluster target, string targetChannel, string sourceCluster, string sourceChannel, CancellationToken cancellationToken) =>
        (await target.Client.ReplicateAsync(targetChannel, new ReplicateRequest(sourceCluster, sourceChannel, Records), cancellationToken)).Value.Appended;
}
