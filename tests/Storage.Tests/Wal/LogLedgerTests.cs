using Baton.Core.Wal;
using Baton.KilledWriters;
using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Baton.WalApp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>A proof is worth what its checker finds: each kind of wrong log is recognised.</summary>
public sealed class LogLedgerTests
{
    private const string Channel = "ch";
    private static readonly long One = ProofRecord.SequenceOf(1, 1);
    private static readonly long Two = ProofRecord.SequenceOf(1, 2);

    [Fact]
    public async Task A_right_log_passes_and_what_nobody_was_told_is_counted()
    {
        var verdict = await CheckAsync([new(1, 1, 0, One)], Whole(One, 1), Whole(Two, 3));

        Assert.Empty(verdict.Problems);
        Assert.Equal((4, 1), (verdict.Records, verdict.Unacknowledged));
    }

    [Fact]
    public async Task What_was_acknowledged_and_is_not_there_is_lost() =>
        Assert.Equal(1, (await CheckAsync([new(1, 1, 0, One), new(2, 2, 0, Two)], Whole(One, 1))).Lost);

    [Fact]
    public async Task What_is_at_other_lsns_than_acknowledged_is_lost() =>
        Assert.Equal(1, (await CheckAsync([new(2, 2, 0, One)], Whole(One, 1), Whole(Two, 1))).Lost);

    [Fact]
    public async Task The_same_append_again_is_found_twice() =>
        Assert.Equal(1, (await CheckAsync([], Whole(One, 2), Whole(One, 2))).Twice);

    [Fact]
    public async Task An_append_without_its_end_is_torn() =>
        Assert.Equal(1, (await CheckAsync([], Whole(One, 3)[..2])).Torn);

    [Fact]
    public async Task An_append_without_its_start_is_torn() =>
        Assert.Equal(1, (await CheckAsync([], Whole(One, 2)[1..])).Torn);

    [Fact]
    public async Task A_producer_that_goes_back_is_a_problem() =>
        Assert.Single((await CheckAsync([], Whole(Two, 1), Whole(One, 1))).Problems);

    [Fact]
    public async Task A_record_under_another_term_than_its_writers_is_a_problem() =>
        Assert.Single((await CheckAsync([], Whole(ProofRecord.SequenceOf(2, 1), 1))).Problems);

    [Fact]
    public async Task A_payload_that_changed_is_found()
    {
        var record = new ProofRecord(0, One, 0, 1, 20).Encode();
        var payload = record.Payload.ToArray();
        payload[30] ^= 1;

        await Assert.ThrowsAsync<InvalidDataException>(() => CheckAsync([], [record with { Payload = payload }]));
    }

    private static WalRecord[] Whole(long sequence, int count) => [.. Enumerable.Range(0, count).Select(i => new ProofRecord(0, sequence, i, count, 20).Encode())];

    private static async Task<LogVerdict> CheckAsync(Acknowledged[] acknowledged, params WalRecord[][] appends)
    {
        var store = new WalStore(new ModelWalStorage().Direct(), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
        await using var writer = await store.OpenAsync(Channel, 1);
        foreach (var append in appends)
        {
            await writer.Append(append).Durable;
        }

        var ledger = new LogLedger();
        Array.ForEach(acknowledged, ledger.Note);
        return await ledger.CheckAsync(store, Channel);
    }
}
