using System.Globalization;
using Baton.Storage;
using Baton.Storage.Wal;
using Baton.WalApp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.KilledWriters;

/// <summary>Writers that are killed at random moments, each followed by the next one at the next term, which was started while it lived.</summary>
/// <param name="connectionString">Where.</param>
/// <param name="seed">Makes moments, counts and sizes.</param>
/// <param name="tally">Counts.</param>
internal sealed class KilledWriterRun(string connectionString, int seed, KillTally tally)
{
    private const int WritersAtOnce = 6;
    private const int SegmentBlocks = 5;
    private const int KillsPerChannel = 25;
    private const int KillsPerCheck = 10;

    private readonly BatonStorage _storage = BatonStorage.Open(new StorageOptions { ConnectionString = connectionString });

    /// <summary>Kills until there were <paramref name="kills"/>, or something is wrong.</summary>
    public async Task RunAsync(int kills, Action<KillTally> onProgress, CancellationToken cancellationToken)
    {
        await NewStore().PrepareAsync(cancellationToken);
#pragma warning disable CA5394 // The moments must be drawn again from their seed.
        var random = new Random(seed);
        while (tally.Kills < kills && tally.Problems.Count == 0)
        {
            await RunChannelAsync(Math.Min(KillsPerChannel, kills - tally.Kills), random, cancellationToken);
            onProgress(tally);
        }
#pragma warning restore CA5394
    }

    private async Task RunChannelAsync(int kills, Random random, CancellationToken cancellationToken)
    {
        var channel = string.Create(CultureInfo.InvariantCulture, $"killed-{seed}-{tally.Channels}");
        var ledger = new LogLedger();
        var verdict = new LogVerdict();
        await using var row = new Succession(connectionString, channel, seed, ledger);
        for (var kill = 1; kill <= kills && verdict.Problems.Count == 0; kill++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var writer = await row.NextAsync(last: kill == kills);
            await LetLiveAsync(writer, random, cancellationToken);
            await writer.KillAsync();
            tally.Kills++;
            tally.WhileOpening += writer.HasOpened ? 0 : 1;
            if (kill % KillsPerCheck == 0)
            {
                verdict = await ledger.CheckAsync(NewStore(), channel);
            }
        }

        // A last takeover settles what the last writer left, and then a reader of its own looks.
        await using (await NewStore().OpenAsync(channel, kills + 1, "proof", null, cancellationToken))
        {
            verdict = verdict.Problems.Count == 0 ? await ledger.CheckAsync(NewStore(), channel) : verdict;
            await CountSegmentsAsync(channel, cancellationToken);
        }

        Count(channel, ledger, verdict);
    }

    // The random wait is the moment of death; nothing waits for it to be long enough.
    private static async Task LetLiveAsync(WriterProcess writer, Random random, CancellationToken cancellationToken)
    {
#pragma warning disable CA5394
        var (whileOpening, milliseconds) = (random.Next(4) == 0, random.NextDouble());
#pragma warning restore CA5394
        await writer.GoAsync();
        if (!whileOpening)
        {
            await writer.OpenedAsync();
        }

        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds * (whileOpening ? 30 : 90)), cancellationToken);
    }

    private async Task CountSegmentsAsync(string channel, CancellationToken cancellationToken)
    {
        var blobs = 0;
        await foreach (var _ in _storage.Blobs.GetBlobContainerClient("wal").GetBlobsAsync(prefix: channel + "/", cancellationToken: cancellationToken))
        {
            blobs++;
        }

        var manifest = await NewStore().ReadManifestAsync(channel, cancellationToken);
        tally.Segments += manifest!.Segments.Count;
        tally.SegmentsAbandoned += blobs - manifest.Segments.Count;
    }

    private void Count(string channel, LogLedger ledger, LogVerdict verdict)
    {
        tally.Channels++;
        tally.Acknowledged += ledger.Count;
        tally.Records += verdict.Records;
        tally.Unacknowledged += verdict.Unacknowledged;
        tally.Lost += verdict.Lost;
        tally.Twice += verdict.Twice;
        tally.Torn += verdict.Torn;
        tally.Problems.AddRange(verdict.Problems.Select(p => $"Seed {seed}, channel {channel}: {p}"));
    }

    // New every time: nothing that an earlier reading has learnt may help.
    private WalStore NewStore() => new(_storage, new WalOptions(), TimeProvider.System, NullLoggerFactory.Instance);

    /// <summary>The writers of one channel. While one lives, the next is already started.</summary>
    private sealed class Succession(string connectionString, string channel, int seed, LogLedger ledger) : IAsyncDisposable
    {
        private WriterProcess? _current;
        private WriterProcess? _next;
        private long _term;

        public async Task<WriterProcess> NextAsync(bool last)
        {
            if (_current is not null)
            {
                await _current.DisposeAsync();
            }

            _current = _next ?? Start();
            _next = last ? null : Start();
            await _current.ReadyAsync();
            return _current;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var process in new[] { _current, _next }.OfType<WriterProcess>())
            {
                await process.DisposeAsync();
            }
        }

        private WriterProcess Start() =>
            WriterProcess.Start(new WriterOptions(channel, ++_term, WritersAtOnce, Appends: 0, SegmentBlocks, seed), connectionString, ledger.Note);
    }
}
