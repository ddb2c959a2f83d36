using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Baton.Core.Wal;

namespace Baton.WalApp;

/// <summary>A record that tells what it is: whose, the how manyth, and which part of its append.</summary>
/// <param name="Writer">Which writer; lives on over the processes.</param>
/// <param name="Sequence">Rises with every append of that writer, over the processes as well: its term is in it.</param>
/// <param name="Index">Which record of the append.</param>
/// <param name="Count">How many records the append has.</param>
/// <param name="FillerBytes">How many bytes follow that only stand for size.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ProofRecord(int Writer, long Sequence, int Index, int Count, int FillerBytes)
{
    private const int HeadBytes = 24;
    private const int CrcBytes = 4;
    private const long SequencesOfTerm = 1_000_000;

    /// <summary>The term under which it was appended.</summary>
    public long Term => Sequence / SequencesOfTerm;

    /// <summary>The sequence of a writer's <paramref name="nth"/> append at <paramref name="term"/>.</summary>
    public static long SequenceOf(long term, int nth) => (term * SequencesOfTerm) + nth;

    /// <summary>The record as the log takes it.</summary>
    public WalRecord Encode()
    {
        var payload = new byte[HeadBytes + FillerBytes + CrcBytes];
        BinaryPrimitives.WriteInt32LittleEndian(payload, Writer);
        BinaryPrimitives.WriteInt64LittleEndian(payload.AsSpan(4), Sequence);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(12), Index);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(16), Count);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(20), FillerBytes);
        Fill(payload.AsSpan(HeadBytes, FillerBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(HeadBytes + FillerBytes), Crc32C.Compute(payload.AsSpan(0, HeadBytes + FillerBytes)));
        return new WalRecord
        {
            Type = WalRecordType.Message,
            TimeTick = 1,
            ProducerId = Producer(Writer),
            ProducerSequence = Sequence,
            Payload = payload,
        };
    }

    /// <summary>What a record of the log says that it is.</summary>
    /// <exception cref="InvalidDataException">It is not, byte for byte, what some writer has appended.</exception>
    public static ProofRecord Decode(WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var payload = record.Payload.Span;
        if (payload.Length < HeadBytes + CrcBytes)
        {
            throw new InvalidDataException($"A payload of {payload.Length} bytes.");
        }

        var read = new ProofRecord(
            BinaryPrimitives.ReadInt32LittleEndian(payload),
            BinaryPrimitives.ReadInt64LittleEndian(payload[4..]),
            BinaryPrimitives.ReadInt32LittleEndian(payload[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(payload[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(payload[20..]));
        return payload.Length == HeadBytes + read.FillerBytes + CrcBytes
            && read.Encode() is var expected
            && expected.Payload.Span.SequenceEqual(payload)
            && expected with { Payload = default } == record with { Payload = default }
            ? read
            : throw new InvalidDataException($"A damaged record: {read}.");
    }

    private static string Producer(int writer) => string.Create(CultureInfo.InvariantCulture, $"writer-{writer}");

    private void Fill(Span<byte> filler)
    {
        var state = unchecked(((uint)Writer * 2_654_435_761) ^ ((uint)Sequence * 40_503) ^ (uint)Index) | 1;
        for (var i = 0; i < filler.Length; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            filler[i] = (byte)state;
        }
    }
}
