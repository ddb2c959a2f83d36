using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>
/// A command as the payload of a log record: its JSON with the format's version in front, <c>{"v":1,"type":…}</c>. A command with a new member or a new meaning is written at a higher version, so that an older
/// node stops at it instead of reading it wrongly.
/// </summary>
public static class MetadataCodec
{
    /// <summary>The version that this node writes, and the only one that it reads.</summary>
    public const int Version = 1;

    private static readonly JsonSerializerOptions Options = new(BatonJson.Options) { AllowDuplicateProperties = false };

    private static readonly FrozenSet<string> Types = typeof(MetadataCommand).GetCustomAttributes(typeof(JsonDerivedTypeAttribute), inherit: false)
        .Select(a => ((JsonDerivedTypeAttribute)a).TypeDiscriminator as string ?? "").ToFrozenSet(StringComparer.Ordinal);

    private static ReadOnlySpan<byte> Head => "{\"v\":1,"u8;

    /// <summary>The bytes of <paramref name="command"/>.</summary>
    public static byte[] Encode(MetadataCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var json = JsonSerializer.SerializeToUtf8Bytes(command, Options);
        var encoded = new byte[Head.Length + json.Length - 1];
        Head.CopyTo(encoded);
        json.AsSpan(1).CopyTo(encoded.AsSpan(Head.Length));
        return encoded;
    }

    /// <summary>The command of <paramref name="payload"/>.</summary>
    /// <exception cref="UnknownMetadataCommandException">Its type or version is none that this node knows.</exception>
    /// <exception cref="InvalidDataException">It is damaged: no command has these bytes.</exception>
    public static MetadataCommand Decode(ReadOnlySpan<byte> payload)
    {
        byte[]? rented = null;
        try
        {
            var (type, version) = ReadHead(payload);
            if (version != Version || !Types.Contains(type))
            {
                throw new UnknownMetadataCommandException(type, version);
            }

            // Without the version, it is the JSON of a command.
            if (!payload.StartsWith(Head))
            {
                throw new InvalidDataException("A metadata command's version is not written as this version writes it.");
            }

            var length = payload.Length - Head.Length + 1;
            rented = ArrayPool<byte>.Shared.Rent(length);
            rented[0] = (byte)'{';
            payload[Head.Length..].CopyTo(rented.AsSpan(1));
            return JsonSerializer.Deserialize<MetadataCommand>(rented.AsSpan(0, length), Options) ?? throw new InvalidDataException("A metadata command is null.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NotSupportedException)
        {
            throw new InvalidDataException($"A metadata command is damaged: {e.Message}", e);
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    private static (string Type, long Version) ReadHead(ReadOnlySpan<byte> payload)
    {
        var reader = new Utf8JsonReader(payload);
        var inPlace = reader.Read() && reader.TokenType == JsonTokenType.StartObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("v"u8) && reader.Read();
        if (!inPlace || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var version))
        {
            throw new InvalidDataException("A metadata command does not begin with its version.");
        }

        inPlace = reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("type"u8) && reader.Read() && reader.TokenType == JsonTokenType.String;
        return inPlace ? (reader.GetString()!, version) : throw new InvalidDataException("A metadata command does not have its type behind its version.");
    }
}
