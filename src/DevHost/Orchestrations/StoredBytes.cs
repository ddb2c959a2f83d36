using System.IO.Compression;
using System.Text;
using Baton.Storage.Tables;

namespace Baton.DevHost.Orchestrations;

/// <summary>A value does not fit into one table entity, compressed.</summary>
internal sealed class ValueTooLargeException(string what, int sizeBytes)
    : Exception($"{what} has {sizeBytes} bytes; compressed, it must fit into {StoredBytes.MaxEncodedBytes}. Keep large data in storage of your own and pass its address.");

/// <summary>Where a value stands: in the instance row when small, else in a row of its own.</summary>
/// <param name="Inline">The encoded bytes, or null when it has its own row.</param>
/// <param name="Row">The keys of its own rows, one after the other; a list of events may need several.</param>
internal sealed record StoredBytes(byte[]? Inline, string? Row)
{
    public const char RowSeparator = ' ';

    /// <summary>A table property holds 64 KiB; the instance row has several values, and is rewritten at each turn.</summary>
    public const int MaxInlineBytes = 24 * 1024;

    /// <summary>An entity holds 1 MiB, keys and names included.</summary>
    public const int MaxEncodedBytes = 15 * ChunkBytes;

    /// <summary>Its own rows; none when it is inline.</summary>
    public IEnumerable<string> Rows => Row?.Split(RowSeparator) ?? [];

    private const int ChunkBytes = 60 * 1024;
    private const int CompressAboveBytes = 8 * 1024;
    private const byte Plain = 0;
    private const byte Brotli = 1;

    /// <summary>Encodes: one byte that says how, then the content, compressed when that may pay.</summary>
    public static byte[] Encode(ReadOnlySpan<byte> content, string what) => Encode(content, what, MaxEncodedBytes);

    /// <summary>Encodes a page of history, which has room for what stands around the largest value.</summary>
    public static byte[] EncodePage(ReadOnlySpan<byte> content) => Encode(content, "A history event", MaxEncodedBytes + ChunkBytes);

    private static byte[] Encode(ReadOnlySpan<byte> content, string what, int max)
    {
        byte[] encoded;
        if (content.Length <= CompressAboveBytes)
        {
            encoded = new byte[content.Length + 1];
            encoded[0] = Plain;
            content.CopyTo(encoded.AsSpan(1));
        }
        else
        {
            using var output = new MemoryStream();
            output.WriteByte(Brotli);
            using (var brotli = new BrotliStream(output, CompressionLevel.Fastest, leaveOpen: true))
            {
                brotli.Write(content);
            }

            encoded = output.ToArray();
        }

        return encoded.Length <= max ? encoded : throw new ValueTooLargeException(what, content.Length);
    }

    /// <summary>Encodes a text.</summary>
    public static byte[] Encode(string text, string what) => Encode(Encoding.UTF8.GetBytes(text), what);

    /// <summary>Undoes <see cref="Encode(ReadOnlySpan{byte}, string)"/>.</summary>
    public static byte[] Decode(byte[] encoded)
    {
        switch (encoded[0])
        {
            case Plain:
                return encoded[1..];
            case Brotli:
                using (var input = new MemoryStream(encoded, 1, encoded.Length - 1))
                using (var brotli = new BrotliStream(input, CompressionMode.Decompress))
                using (var output = new MemoryStream())
                {
                    brotli.CopyTo(output);
                    return output.ToArray();
                }

            default:
                throw new InvalidDataException($"A stored value begins with {encoded[0]}, which is no known encoding.");
        }
    }

    /// <summary>Spreads encoded bytes over the properties D0, D1, … of a row.</summary>
    public static void WriteChunks(TableEntity row, byte[] encoded)
    {
        for (var (chunk, at) = (0, 0); at < encoded.Length; chunk++, at += ChunkBytes)
        {
            row[$"D{chunk}"] = encoded[at..Math.Min(at + ChunkBytes, encoded.Length)];
        }
    }

    /// <summary>Puts them together again.</summary>
    public static byte[] ReadChunks(TableEntity row)
    {
        using var all = new MemoryStream();
        for (var chunk = 0; row.GetBinary($"D{chunk}") is { } bytes; chunk++)
        {
            all.Write(bytes);
        }

        return all.ToArray();
    }
}
