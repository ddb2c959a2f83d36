using System.Buffers;
using System.IO.Compression;
using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Storage.Tables;

/// <summary>A value that one property cannot hold (64 KiB): JSON, compressed when it pays, in pieces.</summary>
/// <remarks>
/// Properties, each with the caller's prefix: <c>Data0…n</c> (binary, at most 60 KiB each), <c>Chunks</c> (how many count; a merge may leave older ones
/// behind it) and <c>Encoding</c> (<c>json</c> or <c>json+br</c>). Several values fit one entity under different prefixes, within 1 MiB together.
/// </remarks>
public static class LargeValue
{
    /// <summary>Longest piece, below the service's 64 KiB a property.</summary>
    public const int ChunkSizeBytes = 60 * 1024;

    /// <summary>What is longer is compressed.</summary>
    public const int CompressAboveBytes = 32 * 1024;

    /// <summary>Longest stored form: leaves room for keys and other properties in the service's 1 MiB an entity.</summary>
    public const int MaxStoredBytes = 16 * ChunkSizeBytes;

    private const string Plain = "json";
    private const string Compressed = "json+br";

    /// <summary>Puts <paramref name="value"/> into <paramref name="entity"/> as <see cref="BatonJson"/>.</summary>
    /// <exception cref="LargeValueTooLongException">It does not fit an entity.</exception>
    public static void Write<T>(TableEntity entity, T value, string prefix = "") =>
        WriteUtf8(entity, JsonSerializer.SerializeToUtf8Bytes(value, BatonJson.Options), prefix);

    /// <summary>Puts JSON that is already UTF-8 into <paramref name="entity"/>.</summary>
    /// <exception cref="LargeValueTooLongException">It does not fit an entity.</exception>
    public static void WriteUtf8(TableEntity entity, byte[] json, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(entity);
        ArgumentNullException.ThrowIfNull(json);
        var compress = json.Length > CompressAboveBytes;
        var stored = compress ? Compress(json) : json;
        if (stored.Length > MaxStoredBytes)
        {
            throw new LargeValueTooLongException(json.Length, stored.Length);
        }

        var chunks = 0;
        for (var at = 0; at < stored.Length; at += ChunkSizeBytes)
        {
            entity[$"{prefix}Data{chunks++}"] = stored[at..Math.Min(at + ChunkSizeBytes, stored.Length)];
        }

        entity[$"{prefix}Chunks"] = chunks;
        entity[$"{prefix}Encoding"] = compress ? Compressed : Plain;
    }

    /// <summary>Reads a value back; default when there is none under <paramref name="prefix"/>.</summary>
    /// <exception cref="InvalidDataException">A piece is missing or damaged.</exception>
    /// <exception cref="JsonException">The JSON is not a <typeparamref name="T"/>.</exception>
    public static T? Read<T>(TableEntity entity, string prefix = "") =>
        ReadUtf8(entity, prefix) is { } json ? JsonSerializer.Deserialize<T>(json, BatonJson.Options) : default;

    /// <summary>Reads the JSON back; null when there is none under <paramref name="prefix"/>.</summary>
    /// <exception cref="InvalidDataException">A piece is missing or damaged.</exception>
    public static byte[]? ReadUtf8(TableEntity entity, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(entity);
        if (entity.GetInt32($"{prefix}Chunks") is not { } chunks)
        {
            return null;
        }

        var stored = new ArrayBufferWriter<byte>();
        for (var i = 0; i < chunks; i++)
        {
            stored.Write(entity.GetBinary($"{prefix}Data{i}") ?? throw new InvalidDataException($"Property '{prefix}Data{i}' of {chunks} pieces is missing."));
        }

        return entity.GetString($"{prefix}Encoding") switch
        {
            Plain => stored.WrittenSpan.ToArray(),
            Compressed => Decompress(stored.WrittenMemory),
            var other => throw new InvalidDataException($"Property '{prefix}Encoding' is '{other}', which is unknown here."),
        };
    }

    private static byte[] Compress(byte[] json)
    {
        using var target = new MemoryStream();

        // Quality 4: these are written on the failover path, where a millisecond counts more than a tenth of the size.
        using (var brotli = new BrotliStream(target, new BrotliCompressionOptions { Quality = 4 }, leaveOpen: true))
        {
            brotli.Write(json);
        }

        return target.ToArray();
    }

    private static byte[] Decompress(ReadOnlyMemory<byte> stored)
    {
        try
        {
            using var source = new MemoryStream(stored.ToArray());
            using var brotli = new BrotliStream(source, CompressionMode.Decompress);
            using var target = new MemoryStream();
            brotli.CopyTo(target);
            return target.ToArray();
        }
        catch (InvalidOperationException failure)
        {
            throw new InvalidDataException("The compressed value is damaged.", failure);
        }
    }
}

/// <summary>A value does not fit one entity, even compressed.</summary>
public sealed class LargeValueTooLongException : Exception
{
    internal LargeValueTooLongException(int lengthBytes, int storedBytes)
        : base($"A value of {lengthBytes} bytes needs {storedBytes} bytes in a table; one entity holds {LargeValue.MaxStoredBytes}.")
    {
        LengthBytes = lengthBytes;
        StoredBytes = storedBytes;
    }

    /// <summary>Length of its JSON.</summary>
    public int LengthBytes { get; }

    /// <summary>Length as it would be stored.</summary>
    public int StoredBytes { get; }
}
