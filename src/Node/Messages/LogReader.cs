using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Answers;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;

namespace Baton.Node.Messages;

/// <summary>The durable records of a channel from one LSN through another, in order.</summary>
internal delegate IAsyncEnumerable<WalEntry> ReadLog(long fromLsn, long throughLsn, CancellationToken ct);

/// <summary>What one read may return.</summary>
/// <param name="From">First LSN to look at.</param>
/// <param name="Through">Last durable LSN.</param>
/// <param name="Max">Messages at most, but for a whole transaction.</param>
/// <param name="Isolation">What is visible.</param>
/// <param name="ShowTokens">The caller may see the cluster tokens inside configuration records.</param>
internal readonly record struct LogRead(long From, long Through, int Max, Isolation Isolation, bool ShowTokens);

/// <summary>
/// Shows a log to a reader. Committed readers see a transaction's messages together, at its commit: the reader keeps the bodies of transactions
/// that begin inside its own scan, and reads the others back from where their commit says that they began. What ends a transaction for a reader
/// is in the log alone (rollback, forced configuration), so that readers and the writer agree without asking each other.
/// </summary>
internal static class LogReader
{
    /// <summary>Payload bytes of open transactions that one scan keeps; beyond them it forgets and reads back at the commit.</summary>
    private const int KeptBytes = 8 * 1024 * 1024;

    /// <summary>One answer: messages, and where to go on. Empty with a higher next LSN where all that was scanned is hidden.</summary>
    public static async Task<(List<ReadMessage> Messages, long NextLsn)> ReadAsync(ReadLog log, LogRead read, CancellationToken ct)
    {
        var answer = new Answer(read.Max);
        var open = new OpenBodies(KeptBytes);
        var next = read.From;
        if (read.From > read.Through)
        {
            return (answer.Messages, next);
        }

        long? firstAvailable = null;
        try
        {
            await foreach (var entry in log(read.From, read.Through, ct))
            {
                var shown = read.Isolation == Isolation.All ? [Show(entry, null, read.ShowTokens)] : await CommittedAsync(log, entry, open, read.ShowTokens, ct);
                if (shown is null || !answer.TryAdd(shown))
                {
                    firstAvailable = shown is null ? entry.Lsn + 1 : null;
                    break;
                }

                next = entry.Lsn + 1;
            }
        }
        catch (WalTrimmedException e)
        {
            firstAvailable = e.FirstLsn;
        }
        catch (ReplicaTrimmedException e)
        {
            firstAvailable = e.FirstLsn;
        }

        // What was read before is whole and goes out; whoever reads on from there is told.
        return firstAvailable is null || answer.Messages.Count > 0 ? (answer.Messages, next) : throw BelowHistory(firstAvailable.Value);
    }

    private static ApiException BelowHistory(long firstAvailable) =>
        new(ApiErrorCode.RangeNotSatisfiable, $"what was asked for is below the retained history: read from LSN {firstAvailable}") { FirstAvailable = firstAvailable };

    /// <summary>What the entry shows; null for a commit of messages that are below the retained history.</summary>
    private static async ValueTask<IReadOnlyList<ReadMessage>?> CommittedAsync(ReadLog log, WalEntry entry, OpenBodies open, bool showTokens, CancellationToken ct)
    {
        var record = entry.Record;
        switch (record.Type)
        {
            case WalRecordType.Message or WalRecordType.Broadcast:
                return [Show(entry, null, showTokens)];
            case WalRecordType.AlterReplicateConfig:
                open.Drop(ConfigurationRecord.EndsTransaction(record));
                return [Show(entry, null, showTokens)];
            case WalRecordType.TxnBegin or WalRecordType.TxnBody or WalRecordType.TxnRollback:
                open.Take(entry);
                return [];
            case WalRecordType.TxnCommit:
                var bodies = open.Commit(entry) ?? await ReadBackAsync(log, entry, ct);
                return bodies is null ? null : [.. bodies.Select(body => Show(body, entry.Lsn, showTokens))];
            default:
                return [];
        }
    }

    /// <summary>The bodies of the transaction that <paramref name="commit"/> commits; none where the log says that it had ended or never begun.</summary>
    /// <remarks>
    /// Null where its begin has been deleted. Not while it was open: nothing from the earliest open begin on is deleted. But segments go whole, and the one
    /// that its begin was in can go before the one with its commit. Part of a transaction is never shown, and its loss is never passed over in silence.
    /// </remarks>
    private static async Task<IReadOnlyList<WalEntry>?> ReadBackAsync(ReadLog log, WalEntry commit, CancellationToken ct)
    {
        var (txnId, begin) = (commit.Record.TxnId, commit.Record.TxnBeginLsn);
        List<WalEntry> bodies = [];
        if (begin <= 0 || begin >= commit.Lsn)
        {
            return bodies;
        }

        try
        {
            await foreach (var entry in log(begin, commit.Lsn - 1, ct))
            {
                var record = entry.Record;
                if ((entry.Lsn == begin && !(record.Type == WalRecordType.TxnBegin && record.TxnId == txnId)) || Ends(record, txnId))
                {
                    return [];
                }

                if (record.TxnId == txnId && record.Type == WalRecordType.TxnBody)
                {
                    bodies.Add(entry);
                }
            }

            return bodies;
        }
        catch (Exception e) when (e is WalTrimmedException or ReplicaTrimmedException)
        {
            return null;
        }
    }

    private static bool Ends(WalRecord record, long txnId) => record.Type switch
    {
        WalRecordType.AlterReplicateConfig => ConfigurationRecord.EndsTransaction(record)(txnId),
        WalRecordType.TxnRollback => record.TxnId == txnId,
        _ => false,
    };

    private static ReadMessage Show(WalEntry entry, long? commitLsn, bool showTokens)
    {
        var record = entry.Record;
        var payload = record.Type == WalRecordType.AlterReplicateConfig && !showTokens ? ConfigurationRecord.WithoutTokens(record) : record.Payload;
        return new ReadMessage(
            entry.Lsn,
            record.TimeTick,
            record.Type,
            record.VChannel,
            record.Key,
            payload.ToArray(),
            record.TxnId == 0 ? null : record.TxnId,
            record.Type == WalRecordType.TxnBegin ? record.KeepaliveMs : null,
            record.BroadcastId == 0 ? null : record.BroadcastId,
            commitLsn,
            record.Source);
    }

    /// <summary>Messages collected under the bounds of one answer; what comes first always fits, however large.</summary>
    private sealed class Answer(int max)
    {
        private long _bytes;

        public List<ReadMessage> Messages { get; } = [];

        public bool TryAdd(IReadOnlyList<ReadMessage> shown)
        {
            var bytes = shown.Sum(m => (long)m.Payload.Length);
            if (Messages.Count > 0 && shown.Count > 0 && (Messages.Count + shown.Count > max || _bytes + bytes > RequestLimits.AnswerBytes))
            {
                return false;
            }

            Messages.AddRange(shown);
            _bytes += bytes;
            return true;
        }
    }
}
