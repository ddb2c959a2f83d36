using System.Runtime.CompilerServices;
using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Wal;
using Baton.Node.Channels;
using Baton.Node.Messages;
using Baton.Node.Tests.Harness;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Node.Tests.Histories;

/// <summary>The rules, the openings and the readers of a node over a list of records: fast enough for thousands of histories. A leader is what an opening makes of the list and a snapshot.</summary>
internal sealed class LogInMemory : IHistorySubject
{
    private readonly List<WalRecord> _log = [];
    private readonly MovableClock _clock = new();
    private ChannelMachine _machine;
    private WalSnapshot? _snapshot;

    public LogInMemory() => _machine = new ChannelMachine(TestNode.ClusterId, Channel);

    public string Channel => "ch-of-memory";

    public long ClockMs
    {
        get => _clock.Milliseconds;
        set => _clock.Milliseconds = value;
    }

    public Task<string> SendAsync(HistoryRequest request)
    {
        var now = _clock.GetUtcNow();
        return Task.FromResult(request switch
        {
            HistoryRequest.Append { TxnId: { } txn } append => Written(_machine.PrepareTransactionAppend(txn, append.Body, now)),
            HistoryRequest.Append append => Written(_machine.PrepareAppend(append.Body, now)),
            HistoryRequest.Begin begin => Put(_machine.PrepareBegin(new BeginTransactionRequest(begin.KeepaliveMs), now), a => AnswerText.Begun(a.TxnId, a.ExpiresAt)),
            HistoryRequest.End { Commit: true } end => Written(_machine.PrepareCommit(end.TxnId, now)),
            HistoryRequest.End end => Written(_machine.PrepareRollback(end.TxnId, now)),
            HistoryRequest.Control control => Controlled(_machine.PrepareControl(control.Body(Channel), now)),
            HistoryRequest.Replicate replicate => Put(
                _machine.PrepareReplicate(new ReplicateRequest(Pair.Source, Pair.Of(Channel).SourceChannel, replicate.Records), 0, now),
                a => AnswerText.Replicated(a.Appended, a.Ignored, a.Checkpoint)),
            _ => throw new ArgumentOutOfRangeException(nameof(request)),
        });
    }

    public Task<(string Text, long LastLsn)> StateAsync() => Task.FromResult((
        AnswerText.State(_machine.LastLsn, _machine.LastTimeTick, _machine.Role, _machine.Checkpoint, _machine.OpenTransactions.Select(t => t.TxnId), _machine.LastConfirmedLsn),
        _machine.LastLsn));

    public async Task<ReadResponse> ReadAsync(long from, int max, Isolation isolation)
    {
        var (messages, next) = await LogReader.ReadAsync(RecordsAsync, new LogRead(from, _log.Count, max, isolation, ShowTokens: false), CancellationToken.None);
        return new ReadResponse(messages, next, _log.Count);
    }

    public Task SnapshotAsync()
    {
        _snapshot = new WalSnapshot(_machine.LastLsn, new ChannelSnapshot(ChannelSnapshot.Present, _machine.EncodeSnapshot(), [], []).Encode());
        return Task.CompletedTask;
    }

    public Task RestartAsync() => TakeoverAsync();

    public async Task TakeoverAsync()
    {
        var recovery = new ChannelRecovery(TestNode.ClusterId, Channel, NullLogger.Instance);
        if (_snapshot is not null)
        {
            Assert.True(await recovery.TakeSnapshotAsync(_snapshot));
        }

        for (var lsn = recovery.SnapshotLsn + 1; lsn <= _log.Count; lsn++)
        {
            await recovery.TakeRecordAsync(lsn, _log[(int)lsn - 1]);
        }

        _machine = recovery.Machine;
    }

    // What stops an old leader is the storage, which is not here.
    public Task<string?> SendToOldAsync(HistoryRequest request) => Task.FromResult<string?>(null);

    public Task<ReadResponse?> ReadFromOldAsync(long from, int max, Isolation isolation) => Task.FromResult<ReadResponse?>(null);

    private async IAsyncEnumerable<WalEntry> RecordsAsync(long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken ct)
    {
        await Task.CompletedTask;
        for (var lsn = fromLsn; lsn <= throughLsn; lsn++)
        {
            ct.ThrowIfCancellationRequested();
            yield return new WalEntry(lsn, 1, _log[(int)lsn - 1]);
        }
    }

    private string Written(Prepared<WriteAnswer> prepared) => Put(prepared, a => AnswerText.Written(a.FirstLsn, a.LastLsn, a.TimeTick));

    private string Controlled(Prepared<BroadcastResult> prepared) =>
        Put(prepared, a => AnswerText.Controlled(a.Ack, prepared.Records.Count == 0, a.RolledBackTxnIds, a.LastReplicated));

    private string Put<T>(Prepared<T> prepared, Func<T, string> tell)
        where T : class
    {
        foreach (var record in prepared.Records)
        {
            _log.Add(record);
            _machine.Apply(_log.Count, record);
        }

        return prepared.Error is { } error ? AnswerText.Error(error.Code) : tell(prepared.Answer!);
    }
}
