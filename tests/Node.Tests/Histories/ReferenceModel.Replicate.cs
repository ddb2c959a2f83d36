using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Histories;

/// <content>What comes from the source: replication.md section 5, duplicates and the one replicated transaction.</content>
internal sealed partial class ReferenceModel
{
    private long _lastOfSource;

    private enum Verdict
    {
        Take,
        Ignore,
        Refuse,
    }

    /// <summary>How far the source has been taken over; null where there is none.</summary>
    public ReplicateCheckpoint? Checkpoint { get; private set; }

    private string Replicate(ReadMessage[] records, long now)
    {
        // Once to see whether all may come, and once in earnest: one that may not keeps all of them out.
        if (Role != ClusterRole.Secondary || Decide(records) is not { } verdicts)
        {
            return AnswerText.Error(ApiErrorCode.ReplicateViolation);
        }

        foreach (var record in records.Zip(verdicts).Where(r => r.Second == Verdict.Take).Select(r => r.First))
        {
            TakeOver(record, now++);
        }

        var taken = verdicts.Count(v => v == Verdict.Take);
        return AnswerText.Replicated(taken, records.Length - taken, Checkpoint);
    }

    private void TakeOver(ReadMessage record, long tick)
    {
        Put(record with
        {
            Lsn = LastLsn + 1,
            TimeTick = tick,
            KeepaliveMs = record.Type == WalRecordType.TxnBegin ? 0 : null,
            Source = new SourcePosition(Pair.Source, Pair.Of(channel).SourceChannel, record.Lsn, record.TimeTick),
        });
        _lastOfSource = record.Lsn;
        if (record.Type is WalRecordType.Message or WalRecordType.TxnCommit && record.TimeTick > Checkpoint!.TimeTick)
        {
            Checkpoint = Checkpoint with { Lsn = record.Lsn, TimeTick = record.TimeTick };
        }
    }

    private List<Verdict>? Decide(ReadMessage[] records)
    {
        List<Verdict> verdicts = [];
        var (taken, txn, last) = (Checkpoint!.TimeTick, _open.Find(t => t.Replicated)?.Id, _lastOfSource);
        foreach (var record in records)
        {
            var verdict = record.Type switch
            {
                WalRecordType.Message => record.TimeTick <= taken ? Verdict.Ignore : txn is null ? Verdict.Take : Verdict.Refuse,
                WalRecordType.TxnBegin => record.TimeTick <= taken || txn == record.TxnId ? Verdict.Ignore : txn is null ? Verdict.Take : Verdict.Refuse,
                WalRecordType.TxnBody when record.TimeTick < taken => Verdict.Ignore,
                WalRecordType.TxnBody when txn == record.TxnId => record.Lsn <= last ? Verdict.Ignore : Verdict.Take,
                WalRecordType.TxnBody => record.TimeTick == taken ? Verdict.Ignore : Verdict.Refuse,
                _ when txn is null || record.TimeTick < taken => Verdict.Ignore,
                _ when txn == record.TxnId => Verdict.Take,
                _ => record.TimeTick == taken ? Verdict.Ignore : Verdict.Refuse,
            };
            if (verdict == Verdict.Refuse)
            {
                return null;
            }

            verdicts.Add(verdict);
            if (verdict == Verdict.Take)
            {
                last = record.Lsn;
                txn = record.Type switch { WalRecordType.TxnBegin => record.TxnId, WalRecordType.TxnCommit or WalRecordType.TxnRollback => null, _ => txn };
                taken = record.Type is WalRecordType.Message or WalRecordType.TxnCommit ? Math.Max(taken, record.TimeTick) : taken;
            }
        }

        return verdicts;
    }
}
