using System.Text;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Histories;

/// <summary>
/// What a channel is, said as simply as can be: the list of what was acknowledged, in order, and beside it the list of what a committed reader sees.
/// Transactions are lists of messages; time is a number, in ticks. Nothing here is shared with the rules that the node runs by.
/// </summary>
internal sealed partial class ReferenceModel(string channel)
{
    private const long Millisecond = 1_024;
    private const long DefaultKeepaliveMs = 10_000;
    private const long LongestKeepaliveMs = 3_600_000;
    private const int WritesRemembered = 5;

    private readonly List<Transaction> _open = [];
    private readonly Dictionary<long, Ending> _ended = [];
    private readonly Dictionary<string, List<(long Sequence, string Answer)>> _producers = new(StringComparer.Ordinal);
    private readonly Dictionary<(long, string), string> _broadcasts = [];
    private long _seen;
    private long _forced;

    // How far the source had been taken over when it was left by force, unless it has been a target since.
    private ReplicateCheckpoint? _left;

    private enum End
    {
        Commit,
        Rollback,
        Expiry,
        Configuration,
    }

    /// <summary>Every record, in order.</summary>
    public List<ReadMessage> Log { get; } = [];

    /// <summary>What becomes visible, and where.</summary>
    public List<(long AtLsn, ReadMessage[] Messages)> Visible { get; } = [];

    public ClusterRole Role { get; private set; } = ClusterRole.Standalone;

    public long LastLsn => Log.Count;

    /// <summary>Ids of open transactions, by begin.</summary>
    public IReadOnlyList<long> Open => [.. _open.Select(t => t.Id)];

    public string State => AnswerText.State(LastLsn, LastTick, Role, Checkpoint, Open, _open.Count == 0 ? LastLsn : _open[0].BeginLsn - 1);

    private long LastTick => Log.Count == 0 ? 0 : Log[^1].TimeTick;

    /// <summary>What a reader of this isolation sees of the LSNs from one through another.</summary>
    public IReadOnlyList<string> View(Isolation isolation, long from, long through)
    {
        var seen = isolation == Isolation.All
            ? Log.Where(m => m.Lsn >= from && m.Lsn <= through)
            : Visible.Where(v => v.AtLsn >= from && v.AtLsn <= through).SelectMany(v => v.Messages);
        return [.. seen.Select(AnswerText.Shown)];
    }

    /// <summary>Whether a page's messages are all of one commit.</summary>
    public static bool IsOneCommit(IReadOnlyList<ReadMessage> messages) => messages.Count > 0 && messages[0].CommitLsn is { } commit && messages.All(m => m.CommitLsn == commit);

    /// <summary>The leader is another process: what its predecessor's clock had shown is forgotten, but for what the log tells.</summary>
    public void NewLeader() => _seen = 0;

    /// <summary>The leader has written down the time by itself.</summary>
    public void TakeTimeTick(ReadMessage record, long clockMs)
    {
        Assert.Equal((LastLsn + 1, WalRecordType.TimeTick), (record.Lsn, record.Type));
        Assert.InRange(record.TimeTick, LastTick + 1, Now(clockMs));
        Put(record with { Payload = [] });
    }

    /// <summary>The answer, after which what it acknowledges is in the lists.</summary>
    public string Answer(HistoryRequest request, long clockMs)
    {
        var now = Now(clockMs);
        return request switch
        {
            HistoryRequest.Append append => Append(append, now),
            HistoryRequest.Begin begin => Begin(begin.KeepaliveMs, now),
            HistoryRequest.End end => EndByWriter(end, now),
            HistoryRequest.Control { Change: { } change } control => Configure(control, change, now),
            HistoryRequest.Control control => Broadcast(control, now),
            HistoryRequest.Replicate replicate => Replicate(replicate.Records, now),
            _ => throw new ArgumentOutOfRangeException(nameof(request)),
        };
    }

    // Above every tick in the log, and never below one that this leader has gone by before.
    private long Now(long clockMs)
    {
        _seen = Math.Max(_seen, clockMs * Millisecond);
        return Math.Max(LastTick + 1, _seen);
    }

    private string Append(HistoryRequest.Append append, long now)
    {
        var before = append.Producer is { } producer ? _producers.GetValueOrDefault(producer.Id) : null;
        if (before?.Find(w => w.Sequence == append.Producer!.Sequence).Answer is { } first)
        {
            return first;
        }

        if (append.Texts.Length == 0)
        {
            return AnswerText.Error(ApiErrorCode.InvalidArgument);
        }

        if (before is not null && append.Producer!.Sequence <= before[^1].Sequence)
        {
            return AnswerText.Error(ApiErrorCode.Conflict);
        }

        if (Refusal(append.TxnId, now) is { } refusal)
        {
            return AnswerText.Error(refusal);
        }

        var firstLsn = LastLsn + 1;
        foreach (var text in append.Texts)
        {
            Put(new ReadMessage(LastLsn + 1, now++, append.TxnId is null ? WalRecordType.Message : WalRecordType.TxnBody, null, $"key of {text}", Encoding.UTF8.GetBytes(text), append.TxnId));
        }

        var answer = AnswerText.Written(firstLsn, LastLsn, LastTick);
        Remember(append.Producer, answer);
        return answer;
    }

    private void Remember(ProducerStamp? producer, string answer)
    {
        if (producer is not null)
        {
            _producers.TryAdd(producer.Id, []);
            _producers[producer.Id].Add((producer.Sequence, answer));
            _producers[producer.Id] = [.. _producers[producer.Id].TakeLast(WritesRemembered)];
        }
    }

    private string Begin(long keepaliveMs, long now)
    {
        if (Refusal(null, now) is { } refusal)
        {
            return AnswerText.Error(refusal);
        }

        if (keepaliveMs is < 0 or > LongestKeepaliveMs)
        {
            return AnswerText.Error(ApiErrorCode.InvalidArgument);
        }

        var granted = keepaliveMs == 0 ? DefaultKeepaliveMs : keepaliveMs;
        Put(new ReadMessage(LastLsn + 1, now, WalRecordType.TxnBegin, null, null, [], now, granted));
        return AnswerText.Begun(now, DateTimeOffset.FromUnixTimeMilliseconds((now / Millisecond) + granted));
    }

    private string EndByWriter(HistoryRequest.End end, long now)
    {
        if (_ended.TryGetValue(end.TxnId, out var ended) && ended.How == (end.Commit ? End.Commit : End.Rollback))
        {
            return AnswerText.Written(ended.Lsn, ended.Lsn, ended.Tick);
        }

        if (Refusal(end.TxnId, now) is { } refusal)
        {
            return AnswerText.Error(refusal);
        }

        Put(new ReadMessage(LastLsn + 1, now, end.Commit ? WalRecordType.TxnCommit : WalRecordType.TxnRollback, null, null, [], end.TxnId));
        return AnswerText.Written(LastLsn, LastLsn, LastTick);
    }

    /// <summary>Why a local write is not taken; null where it is.</summary>
    private ApiErrorCode? Refusal(long? txnId, long now)
    {
        if (Role == ClusterRole.Secondary)
        {
            return ApiErrorCode.ReplicateViolation;
        }

        if (txnId is null)
        {
            return null;
        }

        if (_open.Find(t => t.Id == txnId) is { } open)
        {
            return open.IsOver(now) ? ApiErrorCode.Conflict : null;
        }

        return _ended.ContainsKey(txnId.Value) ? ApiErrorCode.Conflict : ApiErrorCode.NotFound;
    }

    private string Broadcast(HistoryRequest.Control control, long now)
    {
        var vchannel = control.VChannelOf(channel);
        if (_broadcasts.TryGetValue((control.BroadcastId, vchannel), out var first))
        {
            return first;
        }

        if (Refusal(null, now) is { } refusal)
        {
            return AnswerText.Error(refusal);
        }

        Put(new ReadMessage(LastLsn + 1, now, WalRecordType.Broadcast, vchannel, null, [], BroadcastId: control.BroadcastId));
        return Controlled(control.BroadcastId, vchannel, [], null);
    }

    private string Configure(HistoryRequest.Control control, AlterReplicateConfig change, long now)
    {
        var vchannel = control.VChannelOf(channel);
        if (_broadcasts.TryGetValue((control.BroadcastId, vchannel), out var first))
        {
            return first;
        }

        if (!change.Ignored && control.BroadcastId < _forced)
        {
            return AnswerText.Error(ApiErrorCode.Conflict);
        }

        var edges = change.Configuration.Topology?.Edges ?? [];
        var next = edges.Any(e => e!.Target == TestNode.ClusterId) ? ClusterRole.Secondary : edges.Count > 0 ? ClusterRole.Primary : ClusterRole.Standalone;
        var (stays, checkpoint) = (Role == ClusterRole.Secondary && next == ClusterRole.Secondary, Checkpoint);
        Put(new ReadMessage(LastLsn + 1, now, WalRecordType.AlterReplicateConfig, vchannel, null, [], BroadcastId: control.BroadcastId));
        var rolledBack = change.Ignored ? [] : _open.Where(t => change.Forced || (t.Replicated ? !stays : next == ClusterRole.Secondary)).ToArray();
        foreach (var transaction in rolledBack)
        {
            Finish(transaction, End.Configuration);
        }

        if (!change.Ignored)
        {
            (Role, _forced) = (next, change.Forced ? control.BroadcastId : 0);
            Checkpoint = next != ClusterRole.Secondary ? null : stays ? checkpoint : _left ?? new ReplicateCheckpoint(Pair.Source, Pair.Of(channel).SourceChannel, 0, 0);
            _left = next != ClusterRole.Standalone ? null : change.Forced && checkpoint is not null ? checkpoint : _left;
        }

        return Controlled(control.BroadcastId, vchannel, rolledBack.Select(t => t.Id), checkpoint);
    }

    private string Controlled(long id, string vchannel, IEnumerable<long> rolledBack, ReplicateCheckpoint? last)
    {
        var ack = new BroadcastAck(LastLsn, _open.Count == 0 ? LastLsn : _open[0].BeginLsn - 1, LastTick);
        long[] ids = [.. rolledBack];
        _broadcasts[(id, vchannel)] = AnswerText.Controlled(ack, repeat: true, ids, last);
        return AnswerText.Controlled(ack, repeat: false, ids, last);
    }

    /// <summary>A record is acknowledged: first, what has expired by its tick is over.</summary>
    private void Put(ReadMessage record)
    {
        foreach (var over in _open.Where(t => t.IsOver(record.TimeTick)).ToArray())
        {
            _open.Remove(over);
            _ended[over.Id] = new Ending(End.Expiry, record.Lsn, record.TimeTick);
        }

        Log.Add(record);
        var transaction = _open.Find(t => t.Id == record.TxnId);
        switch (record.Type)
        {
            case WalRecordType.TxnBegin:
                _open.Add(new Transaction(record.TxnId!.Value, record.Lsn, record.Source is null ? record.KeepaliveMs : null) { LastTick = record.TimeTick });
                break;
            case WalRecordType.TxnBody:
                transaction!.Messages.Add(record);
                transaction.LastTick = record.TimeTick;
                break;
            case WalRecordType.TxnCommit:
                Visible.Add((record.Lsn, [.. transaction!.Messages.Select(m => m with { CommitLsn = record.Lsn })]));
                Finish(transaction, End.Commit);
                break;
            case WalRecordType.TxnRollback:
                Finish(transaction!, End.Rollback);
                break;
            case WalRecordType.TimeTick:
                break;
            default:
                Visible.Add((record.Lsn, [record]));
                break;
        }
    }

    private void Finish(Transaction transaction, End how)
    {
        _open.Remove(transaction);
        _ended[transaction.Id] = new Ending(how, LastLsn, LastTick);
    }

    private sealed record Ending(End How, long Lsn, long Tick);

    /// <param name="Id">Its id.</param>
    /// <param name="BeginLsn">Where it begins.</param>
    /// <param name="KeepaliveMs">Null where it came from the source: it never expires.</param>
    private sealed record Transaction(long Id, long BeginLsn, long? KeepaliveMs)
    {
        public List<ReadMessage> Messages { get; } = [];

        public long LastTick { get; set; }

        public bool Replicated => KeepaliveMs is null;

        public bool IsOver(long tick) => KeepaliveMs is { } keepalive && tick >= LastTick + (keepalive * Millisecond);
    }
}
