using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Baton.Core.Wal;

namespace Baton.Node.Replicas.Feed;

/// <summary>What a frame of a feed says.</summary>
internal enum FeedFrameKind : byte
{
    /// <summary>The first frame: at which term the leader leads, what it will push next, and what is durable.</summary>
    Start = 1,

    /// <summary>A batch of the log. It may never become durable.</summary>
    Batch = 2,

    /// <summary>Everything through an LSN is durable.</summary>
    Durable = 3,

    /// <summary>Nothing has happened; the leader is there.</summary>
    Idle = 4,
}

/// <summary>The bytes of a feed: docs/replicas.md, "The feed". A frame is a kind (1 byte), the length of its payload (4 bytes) and the payload; numbers are little-endian.</summary>
internal static class FeedFrame
{
    /// <summary>The stream's media type.</summary>
    public const string MediaType = "application/x-baton-feed";

    /// <summary>Bytes before the payload.</summary>
    public const int HeaderSizeBytes = 5;

    /// <summary>Bytes of a start's payload.</summary>
    public const int StartSizeBytes = 24;

    /// <summary>Bytes of a durable mark's payload.</summary>
    public const int DurableSizeBytes = 8;

    /// <summary>Writes a header.</summary>
    public static void WriteHeader(Span<byte> target, FeedFrameKind kind, int lengthBytes)
    {
        target[0] = (byte)kind;
        BinaryPrimitives.WriteInt32LittleEndian(target[1..], lengthBytes);
    }

    /// <summary>A whole start.</summary>
    public static byte[] Start(FeedStart start)
    {
        var frame = new byte[HeaderSizeBytes + StartSizeBytes];
        WriteHeader(frame, FeedFrameKind.Start, StartSizeBytes);
        BinaryPrimitives.WriteInt64LittleEndian(frame.AsSpan(HeaderSizeBytes), start.Term);
        BinaryPrimitives.WriteInt64LittleEndian(frame.AsSpan(HeaderSizeBytes + 8), start.NextLsn);
        BinaryPrimitives.WriteInt64LittleEndian(frame.AsSpan(HeaderSizeBytes + 16), start.DurableLsn);
        return frame;
    }

    /// <summary>Reads a header.</summary>
    /// <exception cref="FeedException">No frame has it.</exception>
    public static (FeedFrameKind Kind, int LengthBytes) ReadHeader(ReadOnlySpan<byte> header)
    {
        var kind = (FeedFrameKind)header[0];
        var length = BinaryPrimitives.ReadInt32LittleEndian(header[1..]);
        var fits = kind switch
        {
            FeedFrameKind.Start => length == StartSizeBytes,
            FeedFrameKind.Batch => length is >= WalBatchCodec.HeaderSizeBytes and <= WalBatchCodec.MaxSizeBytes,
            FeedFrameKind.Durable => length == DurableSizeBytes,
            FeedFrameKind.Idle => length == 0,
            _ => false,
        };
        return fits ? (kind, length) : throw new FeedException($"the leader sent a frame of kind {(byte)kind} with {length} bytes");
    }

    /// <summary>Reads a start's payload.</summary>
    public static FeedStart ReadStart(ReadOnlySpan<byte> payload) =>
        new(BinaryPrimitives.ReadInt64LittleEndian(payload), BinaryPrimitives.ReadInt64LittleEndian(payload[8..]), BinaryPrimitives.ReadInt64LittleEndian(payload[16..]));
}

/// <summary>How a feed begins.</summary>
/// <param name="Term">The term at which the leader leads.</param>
/// <param name="NextLsn">The LSN with which the first batch begins that will be pushed.</param>
/// <param name="DurableLsn">The last durable LSN.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FeedStart(long Term, long NextLsn, long DurableLsn);

/// <summary>A feed could not be opened, broke, or said what it must not.</summary>
internal sealed class FeedException(string message, Exception? inner = null) : Exception(message, inner);
