using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Messages;
using Baton.Storage.Wal;

namespace Baton.Node.Tests.Messages;

/// <summary>What a committed reader sees of logs written by hand. LSNs are the positions in the list, from 1.</summary>
public sealed class LogReaderTests
{
    [Fact]
    public async Task Interleaved_transactions_appear_at_their_commits()
    {
        var log = Log(Begin(1), Begin(2), Body(1, "a1"), Body(2, "b1"), Plain("p"), Body(1, "a2"), Commit(2, 2), Commit(1, 1));
        Assert.Equal(["p", "b1", "a1", "a2"], await SeenAsync(log));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Where_a_reader_starts_makes_no_difference_to_what_a_commit_shows(long from)
    {
        var log = Log(Begin(1), Body(1, "a"), Body(1, "b"), Commit(1, 1));
        Assert.Equal(["a", "b"], await SeenAsync(log, from));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_commit_behind_a_forced_configuration_shows_nothing(long from)
    {
        var log = Log(Begin(1), Body(1, "a"), Configuration(forced: true), Commit(1, 1), Plain("p"));
        Assert.Equal(["p"], await SeenAsync(log, from));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task A_configuration_that_is_not_forced_or_is_ignored_ends_nothing(bool forced, bool ignored)
    {
        var log = Log(Begin(1), Body(1, "a"), Configuration(forced, ignored), Commit(1, 1));
        Assert.Equal(["a"], await SeenAsync(log));
        Assert.Equal(["a"], await SeenAsync(log, from: 4));
    }

    [Fact]
    public async Task A_transaction_begun_again_under_the_same_id_shows_its_own_bodies_only()
    {
        var log = Log(Begin(1), Body(1, "old"), Configuration(forced: true), Begin(1), Body(1, "new"), Commit(1, 4));
        Assert.Equal(["new"], await SeenAsync(log));
        Assert.Equal(["new"], await SeenAsync(log, from: 6));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task A_commit_without_its_begin_or_behind_a_rollback_shows_nothing(long from)
    {
        Assert.Empty(await SeenAsync(Log(Body(1, "a"), Plain("p"), Body(1, "b"), Commit(1, 2)), Math.Max(from, 3)));
        Assert.Empty(await SeenAsync(Log(Begin(1), Body(1, "a"), Rollback(1), Commit(1, 1)), from));
        Assert.Empty(await SeenAsync(Log(Begin(1), Body(1, "a"), TimeTick(), Commit(1, 9)), from));
    }

    [Fact]
    public async Task A_transaction_is_never_split_over_two_answers()
    {
        var log = Log(Plain("p"), Begin(1), Body(1, "a"), Body(1, "b"), Body(1, "c"), Commit(1, 2), Plain("q"));
        var first = await ReadAsync(log, 1, max: 2);
        Assert.Equal(["p"], Texts(first.Messages));
        Assert.Equal(6, first.NextLsn);
        var second = await ReadAsync(log, first.NextLsn, max: 2);
        Assert.Equal(["a", "b", "c"], Texts(second.Messages));
        Assert.Equal(["q"], Texts((await ReadAsync(log, second.NextLsn, max: 2)).Messages));
    }

    [Fact]
    public async Task Bodies_beyond_what_a_scan_keeps_are_read_back()
    {
        var large = new string('x', 1024 * 1024);
        var bodies = Enumerable.Repeat(Body(1, large), 9).ToArray();
        var log = Log([Begin(1), .. bodies, Begin(2), Body(2, "small"), Commit(1, 1), Commit(2, 11)]);
        var read = await ReadAsync(log, 1, max: 10);
        Assert.Equal(9, read.Messages.Count);
        Assert.Equal(["small"], Texts((await ReadAsync(log, read.NextLsn, max: 10)).Messages));
    }

    [Fact]
    public async Task Hidden_records_move_the_reader_on()
    {
        var read = await ReadAsync(Log(TimeTick(), Begin(1), Body(1, "a"), Rollback(1)), 1, max: 10);
        Assert.Empty(read.Messages);
        Assert.Equal(5, read.NextLsn);
    }

    private static async Task<string[]> SeenAsync(WalEntry[] log, long from = 1) =>
        [.. Texts((await ReadAsync(log, from, 100)).Messages.Where(m => m.Type != WalRecordType.AlterReplicateConfig))];

    private static string[] Texts(IEnumerable<ReadMessage> messages) => [.. messages.Select(m => Encoding.UTF8.GetString(m.Payload))];

    private static Task<(List<ReadMessage> Messages, long NextLsn)> ReadAsync(WalEntry[] log, long from, int max) =>
        LogReader.ReadAsync((first, last, ct) => Range(log, first, last, ct), new LogRead(from, log.Length, max, Isolation.Committed, ShowTokens: false), CancellationToken.None);

    private static async IAsyncEnumerable<WalEntry> Range(WalEntry[] log, long from, long through, [EnumeratorCancellation] CancellationToken ct)
    {
        await Task.Yield();
        foreach (var entry in log.Where(e => e.Lsn >= from && e.Lsn <= through))
        {
            ct.ThrowIfCancellationRequested();
            yield return entry;
        }
    }

    private static WalEntry[] Log(params WalRecord[] records) => [.. records.Select((r, i) => new WalEntry(i + 1, 1, r with { TimeTick = i + 1 }))];

    private static WalRecord Plain(string text) => Record(WalRecordType.Message) with { Payload = Encoding.UTF8.GetBytes(text) };

    private static WalRecord Begin(long txnId) => Record(WalRecordType.TxnBegin, txnId);

    private static WalRecord Body(long txnId, string text) => Record(WalRecordType.TxnBody, txnId) with { Payload = Encoding.UTF8.GetBytes(text) };

    private static WalRecord Commit(long txnId, long beginLsn) => Record(WalRecordType.TxnCommit, txnId) with { TxnBeginLsn = beginLsn };

    private static WalRecord Rollback(long txnId) => Record(WalRecordType.TxnRollback, txnId);

    private static WalRecord TimeTick() => Record(WalRecordType.TimeTick);

    private static WalRecord Configuration(bool forced, bool ignored = false)
    {
        var change = new AlterReplicateConfig(new ReplicateConfiguration([new ReplicateCluster("b", "http://b", ["ch"])]), forced, ignored);
        var message = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, ["ch"], [], null, change);
        return Record(WalRecordType.AlterReplicateConfig) with { Payload = JsonSerializer.SerializeToUtf8Bytes(new AlterReplicateConfigRecord(message, [], null), BatonJson.Options) };
    }

    private static WalRecord Record(WalRecordType type, long txnId = 0) => new() { Type = type, TimeTick = 0, TxnId = txnId };
}
