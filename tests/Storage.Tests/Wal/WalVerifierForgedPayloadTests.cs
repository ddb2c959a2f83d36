using System.Buffers.Binary;
using System.Text;
using Baton.Core.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>A client puts whole valid batches into its payloads. Damage nearby must never make them records of the log.</summary>
public sealed class WalVerifierForgedPayloadTests
{
    // The batch before the one that carries the forgery, from which damage could lead into it.
    private const long HitLsn = 3;
    private const long CarrierLsn = 4;

    /// <summary>What the forged batch claims to be, and what stands behind it in the payload: the LSN that would fit exactly, and others.</summary>
    public static TheoryData<long, int> Forgeries => new() { { CarrierLsn, 0 }, { CarrierLsn, 5 }, { CarrierLsn, 200 }, { CarrierLsn + 1, 0 }, { CarrierLsn - 1, 0 }, { CarrierLsn + 3, 0 } };

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task A_damaged_batch_before_it_costs_only_itself(long forgedLsn, int behind)
    {
        var (log, hit, _) = await CreateAsync(forgedLsn, behind);
        log.Tamper(log.Sealed, bytes =>
        {
            bytes[hit.End - 1] ^= 1;
            return bytes;
        });

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal(((long?)HitLsn, (long?)HitLsn), (Assert.Single(damages).FirstMissingLsn, damages[0].LastMissingLsn));
        Assert.Equal(log.Texts.Keys.Except([HitLsn]).Order(), lsns);
    }

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task A_length_field_that_leads_exactly_to_it_is_not_followed(long forgedLsn, int behind)
    {
        var (log, hit, forgedAt) = await CreateAsync(forgedLsn, behind);
        var original = log.Bytes(log.Sealed);

        // Alone, with the checksum, and with the last byte of the batch: each kind of evidence hit as well.
        foreach (var alsoHit in new int?[] { null, 4, hit.Size - 1 })
        {
            log.Tamper(log.Sealed, _ => LeadTo([.. original], hit.Offset, forgedAt, alsoHit));

            // ScanAsync checks that every record is the one that was written.
            var (lsns, damages) = await log.ScanAsync();

            Assert.Equal((hit.Offset, HitLsn), (damages[0].Offset, damages[0].FirstMissingLsn));
            Assert.DoesNotContain(HitLsn, lsns);
        }
    }

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task The_carriers_own_length_that_leads_into_it_is_not_followed(long forgedLsn, int behind)
    {
        var (log, hit, forgedAt) = await CreateAsync(forgedLsn, behind);
        log.Tamper(log.Sealed, bytes => LeadTo(bytes, hit.End, forgedAt, alsoHit: null));

        var (lsns, damages) = await log.ScanAsync();

        Assert.Equal((hit.End, CarrierLsn, CarrierLsn), (damages[0].Offset, damages[0].FirstMissingLsn, damages[0].LastMissingLsn));
        Assert.Equal(log.Texts.Keys.Except([CarrierLsn]).Order(), lsns);
    }

    private static byte[] LeadTo(byte[] bytes, int batch, int target, int? alsoHit)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(batch), target - batch - 8);
        if (alsoHit is { } other)
        {
            bytes[batch + other] ^= 0x20;
        }

        return bytes;
    }

    private static async Task<(TamperedLog Log, TamperedBlock Hit, int ForgedAt)> CreateAsync(long forgedLsn, int behind)
    {
        var forged = WalBatchCodec.Encode(forgedLsn, [TamperedLog.Record(forgedLsn, "forged")]);
        var log = await TamperedLog.CreateAsync([["one"], ["two"], ["three"], ["carrier"], ["five"], ["six"], ["seven"]], inTail: 1);
        var hit = log.Blocks(log.Sealed)[(int)HitLsn];
        var payload = (byte[])[.. Encoding.UTF8.GetBytes("before"), .. forged, .. new byte[behind]];
        var carrier = WalBatchCodec.Encode(CarrierLsn, [TamperedLog.Record(CarrierLsn, string.Empty) with { Payload = payload }]);
        var old = log.Blocks(log.Sealed)[(int)CarrierLsn];
        log.Tamper(log.Sealed, bytes => [.. bytes[..old.Offset], .. carrier, .. bytes[old.End..]]);
        log.Texts[CarrierLsn] = Encoding.UTF8.GetString(payload);
        log.Resize(carrier.Length - old.Size);
        return (log, hit, old.Offset + carrier.Length - behind - forged.Length);
    }
}
