using Baton.KilledWriters;
using Baton.Storage.Wal;
using Baton.WalApp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>A writer that is stopped where it stands (SIGSTOP), replaced, and let go on: it believes that it leads, and can do nothing about it.</summary>
public sealed class PausedWriterTests(StorageFixture azurite) : IClassFixture<StorageFixture>
{
    private const int Rounds = 6;
    private const int Writers = 4;

    /// <summary>Segment blocks: many, so that it is stopped within appends; or as few as there can be, so that nearly every call is one of a roll.</summary>
    [Theory]
    [InlineData(1_000)]
    [InlineData(2)]
    public async Task A_writer_stopped_under_load_is_fenced_when_it_goes_on(int segmentBlocks)
    {
        var seed = Random.Shared.Next(1_000_000);
        for (var round = 0; round < Rounds; round++)
        {
            var ledger = new LogLedger();
            await using var old = await StartAsync(segmentBlocks, appends: 0, seed + round, ledger);

            // Some rounds right after the opening, some far into the work.
            await WriterConditions.UntilAsync(() => ledger.Count >= round * 30, "appends");
            await old.PauseAsync();

            await TakeOverAsync(old, ledger, beforeItGoesOn: () => Task.CompletedTask);
        }
    }

    [Fact]
    public async Task An_idle_writer_that_was_replaced_while_it_was_stopped_learns_so_at_its_next_append()
    {
        for (var round = 0; round < 2; round++)
        {
            var ledger = new LogLedger();
            await using var old = await StartAsync(segmentBlocks: 100, appends: 3, seed: round, ledger);
            await WriterConditions.UntilAsync(() => old.Idles == 1, "the first round");
            Assert.Equal(3 * Writers, ledger.Count);
            await old.PauseAsync();

            await TakeOverAsync(old, ledger, old.GoAsync);
        }
    }

    private async Task<WriterProcess> StartAsync(int segmentBlocks, int appends, int seed, LogLedger ledger)
    {
        await NewStore().PrepareAsync(CancellationToken.None);
        var process = WriterProcess.Start(new WriterOptions(WalTestExtensions.NewChannel(), 1, Writers, appends, segmentBlocks, seed), azurite.ConnectionString, ledger.Note);
        try
        {
            await process.ReadyAsync();
            await process.GoAsync();
            await process.OpenedAsync();
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    // The new writer appends before and after the old one goes on; the old one gets nothing in.
    private async Task TakeOverAsync(WriterProcess old, LogLedger ledger, Func<Task> beforeItGoesOn)
    {
        var channel = old.Options.Channel;
        await using var writer = await NewStore().OpenAsync(channel, 2, "test", null, CancellationToken.None);
        var firstOfNew = await AppendAsync(writer, 1, ledger);
        await beforeItGoesOn();
        await old.ContinueAsync();
        await old.EndedAsync();
        await AppendAsync(writer, 2, ledger);

        Assert.Equal(Baton.WalApp.Writers.FencedExitCode, old.ExitCode);
        Assert.Equal($"{Reports.Fenced} {channel} 1", old.Said[^1]);
        var verdict = await ledger.CheckAsync(NewStore(), channel);
        Assert.True(verdict.Problems.Count == 0, string.Join('\n', verdict.Problems));
        await foreach (var entry in NewStore().ReadAsync(channel, firstOfNew, long.MaxValue, CancellationToken.None))
        {
            Assert.Equal(2, entry.Term);
        }
    }

    private static async Task<long> AppendAsync(WalWriter writer, int nth, LogLedger ledger)
    {
        var sequence = ProofRecord.SequenceOf(writer.Term, nth);
        var append = writer.Append([new ProofRecord(Writers, sequence, 0, 1, 10).Encode()]);
        await append.Durable;
        ledger.Note(new Acknowledged(append.FirstLsn, append.LastLsn, Writers, sequence));
        return append.FirstLsn;
    }

    private WalStore NewStore() => new(azurite.Open(), new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);
}
