using System.Buffers.Binary;
using Baton.Core.Wal;
using Baton.Storage.Tests.Wal.Interleaving;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal;

/// <summary>A block of a segment; the header has no LSNs.</summary>
internal sealed record TamperedBlock(int Offset, int Size, long FirstLsn, long LastLsn)
{
    public int End => Offset + Size;
}

/// <summary>A log of two segments on the model, sealed and open, whose bytes a test changes as it likes.</summary>
internal sealed class TamperedLog
{
    public const string Channel = "orders";
    private readonly ModelWalStorage _model = new();

    /// <summary>The sealed segment.</summary>
    public WalSegment Sealed { get; private set; } = null!;

    /// <summary>The open one.</summary>
    public WalSegment Tail { get; private set; } = null!;

    public WalManifest Manifest { get; private set; } = null!;

    /// <summary>What is in the log, by LSN.</summary>
    public Dictionary<long, string> Texts { get; } = [];

    public IWalStorage Storage => _model.Direct();

    /// <summary>Batches with records of rising time ticks and the texts given; the last <paramref name="inTail"/> in a segment of their own.</summary>
    public static async Task<TamperedLog> CreateAsync(IReadOnlyList<string[]> batches, int inTail)
    {
        var log = new TamperedLog();
        await log.WriteAsync(1, batches.Take(batches.Count - inTail));
        await log.WriteAsync(2, batches.TakeLast(inTail));
        log.Manifest = (await log.NewVerifier().ReadManifestAsync(Channel, CancellationToken.None))!;
        (log.Sealed, log.Tail) = (log.Manifest.Segments[0], log.Manifest.Segments[1]);
        return log;
    }

    /// <summary>A log of small batches of one to three records.</summary>
    public static Task<TamperedLog> CreateAsync(int batches, int inTail) =>
        CreateAsync([.. Enumerable.Range(1, batches).Select(b => Enumerable.Range(1, 1 + (b % 3)).Select(r => $"b{b}r{r}" + new string('x', b)).ToArray())], inTail);

    public static WalRecord Record(long lsn, string text) => WalTestExtensions.Message(text) with { TimeTick = lsn * 1_024, VChannel = "v1", Key = $"k{lsn}" };

    public WalVerifier NewVerifier() => new(Storage, WalTestExtensions.Quick, TimeProvider.System);

    public WalStore NewStore() => new(Storage, WalTestExtensions.Quick, TimeProvider.System, NullLoggerFactory.Instance);

    public byte[] Bytes(WalSegment segment)
    {
        byte[] bytes = [];
        Tamper(segment, now => bytes = now);
        return [.. bytes];
    }

    public void Tamper(WalSegment segment, Func<byte[], byte[]> change) => _model.Tamper(segment.BlobName(Channel), change);

    /// <summary>The header and the batches of a segment that is not damaged yet.</summary>
    public List<TamperedBlock> Blocks(WalSegment segment)
    {
        var bytes = Bytes(segment);
        var blocks = new List<TamperedBlock> { new(0, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(10)), 0, 0) };
        while (blocks[^1].End < bytes.Length)
        {
            var at = bytes.AsSpan(blocks[^1].End);
            var first = BinaryPrimitives.ReadInt64LittleEndian(at[8..]);
            blocks.Add(new TamperedBlock(blocks[^1].End, BinaryPrimitives.ReadInt32LittleEndian(at) + 8, first, first + BinaryPrimitives.ReadInt32LittleEndian(at[16..]) - 1));
        }

        return blocks;
    }

    /// <summary>The manifest as if the sealed segment had been that much longer when it was sealed.</summary>
    public void Resize(int moreBytes)
    {
        Sealed = Sealed with { LengthBytes = Sealed.LengthBytes + moreBytes };
        Manifest = Manifest with { Segments = [Sealed, Tail] };
    }

    public Task<WalVerification> VerifyAsync() => NewVerifier().VerifyAsync(Manifest, null, CancellationToken.None);

    /// <summary>What a scan gives: the readable LSNs, after checking that each has the text that was written; and the damages.</summary>
    public async Task<(List<long> Lsns, List<WalDamage> Damages)> ScanAsync()
    {
        var lsns = new List<long>();
        var damages = new List<WalDamage>();
        await foreach (var scanned in NewVerifier().ScanAsync(Manifest, 1, long.MaxValue, CancellationToken.None))
        {
            if (scanned.Damage is { } damage)
            {
                damages.Add(damage);
            }

            for (var i = 0; i < (scanned.Batch?.Records.Count ?? 0); i++)
            {
                var lsn = scanned.Batch!.FirstLsn + i;
                Assert.Equal(Texts[lsn], scanned.Batch.Records[i].Text());
                lsns.Add(lsn);
            }
        }

        return (lsns, damages);
    }

    /// <summary>What an ordinary reader gets, and what stops it.</summary>
    public async Task<(List<long> Lsns, WalDamagedException? Damage)> ReadAsync()
    {
        var lsns = new List<long>();
        try
        {
            await foreach (var entry in NewStore().ReadAsync(Channel, 1, long.MaxValue, CancellationToken.None))
            {
                lsns.Add(entry.Lsn);
            }

            return (lsns, null);
        }
        catch (WalDamagedException damage)
        {
            return (lsns, damage);
        }
    }

    private async Task WriteAsync(long term, IEnumerable<string[]> batches)
    {
        await using var writer = await NewStore().OpenAsync(Channel, term);
        foreach (var texts in batches)
        {
            var first = Texts.Count + 1L;
            foreach (var text in texts)
            {
                Texts[Texts.Count + 1] = text;
            }

            await writer.Append([.. texts.Select((text, i) => Record(first + i, text))]).Durable;
        }
    }
}
