using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Histories;

/// <summary>Cluster a, as it sends its channel: new records, repeats, and what it should not send.</summary>
internal sealed class SourceStream
{
    private readonly List<ReadMessage> _sent = [];
    private long _tick = 10;
    private long _txn;
    private long _transactions;

    /// <summary>The next request. Three small numbers say which.</summary>
    public ReadMessage[] Next(HistoryStep step)
    {
        ReadMessage[] records = (step.A % 8) switch
        {
            0 => [Plain()],
            1 => [Begin()],
            2 => [Body(_txn == 0 ? 99 : _txn)],
            3 => [End(WalRecordType.TxnCommit)],
            4 => [step.B % 3 == 0 ? End(WalRecordType.TxnRollback) : Body(_txn == 0 ? 99 : _txn)],
            5 => [.. Whole(sameTick: step.C % 2 == 0), .. step.B % 3 == 0 ? [Plain()] : Array.Empty<ReadMessage>()],
            6 => [.. _sent.Skip(step.C % 3 == 0 ? 0 : Math.Max(0, _sent.Count - 1 - step.B)).Take(12)],
            _ => [Plain(), Plain()],
        };
        if (records.Length == 0)
        {
            records = [Plain()];
        }

        _sent.AddRange(records.Where(r => !_sent.Contains(r)));
        return records;
    }

    private ReadMessage Plain() => Pair.Plain(_sent.Count + ++_tick, _tick, $"source {_tick}");

    private ReadMessage Begin()
    {
        var id = ++_transactions;
        _txn = _txn == 0 ? id : _txn;

        // Its own keepalive means nothing here: only the source ends it.
        return Pair.Begin(_sent.Count + ++_tick, _tick, id) with { KeepaliveMs = 10 };
    }

    private ReadMessage Body(long txn) => Pair.Body(_sent.Count + ++_tick, _tick, txn, $"source body {_tick}");

    private ReadMessage End(WalRecordType type)
    {
        var id = _txn == 0 ? 99 : _txn;
        _txn = 0;
        return Pair.Commit(_sent.Count + ++_tick, _tick, id) with { Type = type };
    }

    // As a source that takes a transaction from its log: all of it may have the commit's tick.
    private ReadMessage[] Whole(bool sameTick)
    {
        ReadMessage[] records = [Begin(), Body(_txn), Body(_txn), End(WalRecordType.TxnCommit)];
        return sameTick ? [.. records.Select(r => r with { TimeTick = records[^1].TimeTick })] : records;
    }
}
