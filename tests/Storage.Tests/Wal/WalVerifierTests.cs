using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>Damage larger than a bit: found, located, and never mended with something that was not in the log.</summary>
public sealed class WalVerifierTests
{
    [Fact]
    public async Task An_undamaged_log_is_clean_and_counted()
    {
        var log = await TamperedLog.CreateAsync(batches: 8, inTail: 3);

        var found = await log.VerifyAsync();

        Assert.True(found.Clean);
        Assert.Equal((2, 8L, (long)log.Texts.Count, 1L, (long)log.Texts.Count), (found.Manifest.Segments.Count, found.Batches, found.Records, found.FirstReadableLsn, found.LastReadableLsn));
        Assert.Equal(log.Blocks(log.Sealed).Concat(log.Blocks(log.Tail)).Where(b => b.Offset > 0).Sum(b => (long)b.Size), found.Bytes);
        Assert.Equal([TamperedLog.Channel], await log.NewVerifier().ListChannelsAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_sealed_segment_cut_at_any_byte_is_missing_from_the_block_that_was_cut()
    {
        var log = await TamperedLog.CreateAsync(batches: 8, inTail: 2);
        var original = log.Bytes(log.Sealed);
        var blocks = log.Blocks(log.Sealed);
        for (var length = 0; length < original.Length; length++)
        {
            log.Tamper(log.Sealed, _ => original[..length]);

            var (lsns, damages) = await log.ScanAsync();

            var cut = blocks.First(b => b.End > length);
            var first = cut.FirstLsn == 0 ? log.Sealed.FirstLsn : cut.FirstLsn;
            var damage = Assert.Single(damages);
            Assert.Equal((cut.Offset, first, log.Sealed.LastLsn), (damage.Offset, damage.FirstMissingLsn, damage.LastMissingLsn));
            Assert.Equal(log.Texts.Keys.Where(lsn => lsn < first || lsn > log.Sealed.LastLsn).Order(), lsns);
        }
    }

    [Fact]
    public async Task An_open_segment_cut_at_any_byte_within_a_block_is_missing_from_there()
    {
        var log = await TamperedLog.CreateAsync(batches: 8, inTail: 6);
        var original = log.Bytes(log.Tail);
        var blocks = log.Blocks(log.Tail);
        foreach (var length in Enumerable.Range(0, original.Length).Except(blocks.Select(b => b.End)))
        {
            log.Tamper(log.Tail, _ => original[..length]);

            var damage = Assert.Single((await log.ScanAsync()).Damages);

            var cut = blocks.First(b => b.End > length);
            Assert.Equal((cut.Offset, cut.FirstLsn == 0 ? log.Tail.FirstLsn : cut.FirstLsn, null), (damage.Offset, damage.FirstMissingLsn, damage.LastMissingLsn));
        }
    }

    [Fact]
    public async Task A_block_taken_out_is_missing_and_no_other()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 2);
        var block = log.Blocks(log.Sealed)[4];
        log.Tamper(log.Sealed, bytes => [.. bytes[..block.Offset], .. bytes[block.End..]]);

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal([(WalDamageKind.Unreadable, (long)block.Offset, (long?)block.FirstLsn, (long?)block.LastLsn), (WalDamageKind.Length, log.Sealed.LengthBytes!.Value - block.Size, null, null)], damages.Select(Place));
        Assert.Equal(log.Texts.Keys.Where(lsn => lsn < block.FirstLsn || lsn > block.LastLsn).Order(), lsns);
    }

    [Fact]
    public async Task Two_blocks_in_each_others_place_are_reported_both()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 2);
        var (a, b) = (log.Blocks(log.Sealed)[4], log.Blocks(log.Sealed)[5]);
        log.Tamper(log.Sealed, bytes => [.. bytes[..a.Offset], .. bytes[b.Offset..b.End], .. bytes[a.Offset..a.End], .. bytes[b.End..]]);

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal([(WalDamageKind.Unreadable, (long)a.Offset, (long?)a.FirstLsn, (long?)a.LastLsn), (WalDamageKind.Order, a.Offset + b.Size, null, null)], damages.Select(Place));
        Assert.Equal(log.Texts.Keys.Where(lsn => lsn < a.FirstLsn || lsn > a.LastLsn).Order(), lsns);
    }

    [Fact]
    public async Task A_block_that_is_there_twice_is_reported_and_its_records_are_given_once()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 2);
        var block = log.Blocks(log.Sealed)[4];
        log.Tamper(log.Sealed, bytes => [.. bytes[..block.End], .. bytes[block.Offset..]]);

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal([(WalDamageKind.Order, (long)block.End, null, null), (WalDamageKind.Length, log.Sealed.LengthBytes!.Value + block.Size, null, null)], damages.Select(Place));
        Assert.Equal(log.Texts.Keys.Order(), lsns);
    }

    [Fact]
    public async Task The_bytes_of_another_segment_are_missing_as_a_whole()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 6);
        var foreign = log.Bytes(log.Tail);
        log.Tamper(log.Sealed, _ => foreign);

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal((WalDamageKind.Unreadable, 0L, 1L, log.Sealed.LastLsn), Place(damages[0]));
        Assert.Equal(log.Texts.Keys.Where(lsn => lsn > log.Sealed.LastLsn).Order(), lsns);
    }

    [Fact]
    public async Task A_sealed_segment_that_goes_on_behind_its_end_is_reported_and_what_is_behind_is_not_given()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 2);
        var more = WalBatchCodec.Encode(log.Sealed.LastLsn!.Value + 1, [TamperedLog.Record(log.Sealed.LastLsn.Value + 1, "forged")]);
        log.Tamper(log.Sealed, bytes => [.. bytes, .. more]);

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal([(WalDamageKind.Length, log.Sealed.LengthBytes!.Value, null, null)], damages.Select(Place));
        Assert.Equal(log.Texts.Keys.Order(), lsns);
    }

    [Fact]
    public async Task A_missing_blob_is_missing_as_a_whole_unless_retention_has_deleted_it_meanwhile()
    {
        var log = await TamperedLog.CreateAsync(batches: 12, inTail: 6);
        await log.Storage.Segments.DeleteAsync(log.Sealed.BlobName(TamperedLog.Channel), CancellationToken.None);

        var lost = Assert.Single((await log.ScanAsync()).Damages);
        var held = (await log.Storage.ReadManifestAsync(TamperedLog.Channel, CancellationToken.None))!;
        await log.Storage.WriteManifestAsync(held.Manifest with { Segments = [log.Tail], FirstLsn = log.Tail.FirstLsn }, held.ETag, CancellationToken.None);
        var (lsns, trimmed) = await log.ScanAsync();

        Assert.Equal((WalDamageKind.Unreadable, 0L, 1L, log.Sealed.LastLsn), Place(lost));
        Assert.Empty(trimmed);
        Assert.Equal(log.Texts.Keys.Where(lsn => lsn > log.Sealed.LastLsn).Order(), lsns);
    }

    [Fact]
    public async Task An_empty_open_segment_that_a_takeover_has_dropped_and_swept_is_no_damage()
    {
        var log = await TamperedLog.CreateAsync(batches: 6, inTail: 0);
        var store = log.NewStore();
        await using (await store.OpenAsync(TamperedLog.Channel, 3))
        {
            Assert.Equal(1, await store.SweepAsync(TamperedLog.Channel, CancellationToken.None));
        }

        // With the manifest that was read before the takeover.
        var found = await log.VerifyAsync();

        Assert.Empty(found.Damages);
        Assert.Equal(log.Sealed.LastLsn, found.LastReadableLsn);
    }

    [Fact]
    public async Task Several_damaged_batches_are_each_reported_and_cost_only_themselves()
    {
        var log = await TamperedLog.CreateAsync(batches: 32, inTail: 2);
        var hit = log.Blocks(log.Sealed).Where((_, i) => i is 3 or 4 or 9 or 20 or 30).ToList();
        log.Tamper(log.Sealed, bytes =>
        {
            hit.ForEach(block => bytes[block.End - 1] ^= 0x10);
            return bytes;
        });

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal(hit.Select(b => (WalDamageKind.Unreadable, (long)b.Offset, (long?)b.FirstLsn, (long?)b.LastLsn)), damages.Select(Place));
        Assert.Equal(log.Texts.Count - hit.Sum(b => b.LastLsn - b.FirstLsn + 1), lsns.Count);
    }

    [Fact]
    public async Task Whatever_is_garbled_each_record_is_given_as_it_was_written_or_reported_missing()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var log = await TamperedLog.CreateAsync(batches: 40, inTail: 15);
        foreach (var segment in new[] { log.Sealed, log.Tail })
        {
            var original = log.Bytes(segment);
            for (var round = 0; round < 300; round++)
            {
                log.Tamper(segment, _ => Garble(original, random));

                var (lsns, damages) = await log.ScanAsync();

                var missing = damages.Where(d => d.FirstMissingLsn is not null).ToList();
                var lost = log.Texts.Keys.Except(lsns).Where(lsn => !missing.Exists(d => d.FirstMissingLsn <= lsn && (d.LastMissingLsn ?? long.MaxValue) >= lsn));
                Assert.True(!lost.Any() && damages.Count > 0 && lsns.SequenceEqual(lsns.Order().Distinct()), $"seed {seed}, round {round}: not given and not reported: {string.Join(' ', lost)}");
            }

            log.Tamper(segment, _ => original);
        }
    }

    [Fact]
    public async Task Time_ticks_that_do_not_rise_are_damage_of_their_own_kind()
    {
        var log = await TamperedLog.CreateAsync(batches: 6, inTail: 2);
        var block = log.Blocks(log.Sealed)[2];
        var records = Enumerable.Range((int)block.FirstLsn, (int)(block.LastLsn - block.FirstLsn + 1)).Select(lsn => TamperedLog.Record(lsn, log.Texts[lsn]) with { TimeTick = 1_024 }).ToList();
        log.Tamper(log.Sealed, bytes => [.. bytes[..block.Offset], .. WalBatchCodec.Encode(block.FirstLsn, records), .. bytes[block.End..]]);

        var found = await log.VerifyAsync();

        Assert.Equal([(WalDamageKind.TimeTick, (long)block.Offset, null, null)], found.Damages.Select(Place));
        Assert.Equal(log.Texts.Count, found.Records);
    }

    [Fact]
    public async Task Segments_that_do_not_follow_each_other_and_terms_that_fall_are_reported()
    {
        var log = await TamperedLog.CreateAsync(batches: 6, inTail: 2);
        var gap = log.Manifest with { FirstLsn = 1, Segments = [log.Sealed with { Term = 3 }, log.Tail with { FirstLsn = log.Tail.FirstLsn + 2 }] };

        var found = await log.NewVerifier().VerifyAsync(gap, null, CancellationToken.None);

        Assert.Contains(found.Damages, d => d.FirstMissingLsn == log.Tail.FirstLsn && d.LastMissingLsn == log.Tail.FirstLsn + 1 && d.Problem.Contains("gap", StringComparison.Ordinal));
        Assert.Contains(found.Damages, d => d.Kind == WalDamageKind.Order && d.Problem.Contains("term 2 follows term 3", StringComparison.Ordinal));
        Assert.Contains(found.Damages, d => d.Problem.Contains("missing", StringComparison.Ordinal) && d.LastMissingLsn == log.Sealed.LastLsn);
    }

    [Fact]
    public async Task A_snapshot_that_is_missing_damaged_or_of_another_length_is_reported()
    {
        var log = await TamperedLog.CreateAsync(batches: 6, inTail: 2);
        var content = Enumerable.Range(0, 100).Select(n => (byte)n).ToArray();
        var entries = new List<WalSnapshotEntry>();
        for (var lsn = 2; lsn <= 6; lsn++)
        {
            byte[] whole = [.. WalSnapshotCodec.Encode(TamperedLog.Channel, 1, lsn, content).SelectMany(b => b)];
            entries.Add(new WalSnapshotEntry(lsn, 1, whole.Length, 1, 0));
            byte[]? written = lsn switch
            {
                3 => whole[..^1],
                4 => [.. whole, 0],
                5 => [.. whole[..80], (byte)(whole[80] ^ 4), .. whole[81..]],
                6 => null,
                _ => whole,
            };
            if (written is not null)
            {
                await log.Storage.Snapshots.CreateAsync(entries[^1].BlobName(TamperedLog.Channel), CancellationToken.None);
                await log.Storage.Snapshots.AppendAsync(entries[^1].BlobName(TamperedLog.Channel), 0, written, CancellationToken.None);
            }
        }

        var held = (await log.Storage.ReadManifestAsync(TamperedLog.Channel, CancellationToken.None))!;
        var manifest = held.Manifest with { Snapshots = entries };
        await log.Storage.WriteManifestAsync(manifest, held.ETag, CancellationToken.None);

        var found = await log.NewVerifier().VerifyAsync(manifest, null, CancellationToken.None);

        Assert.Equal(entries[1..].Select(e => (WalDamageKind.Snapshot, e.BlobName(TamperedLog.Channel))), found.Damages.Select(d => (d.Kind, d.Segment)));
        string[] problems = ["too early", "longer than", "CRC", "missing"];
        Assert.All(problems.Zip(found.Damages), pair => Assert.Contains(pair.First, pair.Second.Problem, StringComparison.Ordinal));
    }

    private static (WalDamageKind Kind, long Offset, long? First, long? Last) Place(WalDamage damage) => (damage.Kind, damage.Offset, damage.FirstMissingLsn, damage.LastMissingLsn);

    // One to four places, each of one to a hundred bytes; again where a place hit twice has become what it was.
    private static byte[] Garble(byte[] original, Random random)
    {
        byte[] bytes;
        do
        {
            bytes = [.. original];
            for (var places = random.Next(1, 5); places > 0; places--)
            {
                var length = random.Next(2) == 0 ? 1 : random.Next(1, 100);
                var at = random.Next(bytes.Length - length);
                bytes[at] ^= 0x40;
                random.NextBytes(bytes.AsSpan(at + 1, length - 1));
            }
        }
        while (bytes.AsSpan().SequenceEqual(original));

        return bytes;
    }
}
