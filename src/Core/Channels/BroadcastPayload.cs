using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>The payloads of broadcast records: JSON, of a <see cref="BroadcastMessage"/> or, for a change of configuration, of an <see cref="AlterReplicateConfigRecord"/>.</summary>
public static class BroadcastPayload
{
    /// <summary>The payload of <see cref="WalRecordType.Broadcast"/>.</summary>
    public static byte[] Encode(BroadcastMessage message) => JsonSerializer.SerializeToUtf8Bytes(message, BatonJson.Options);

    /// <summary>The payload of <see cref="WalRecordType.AlterReplicateConfig"/>.</summary>
    public static byte[] Encode(AlterReplicateConfigRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, BatonJson.Options);

    /// <summary>Reads either payload.</summary>
    /// <param name="type">The record's type.</param>
    /// <param name="payload">Its payload.</param>
    /// <param name="content">The content; for a plain broadcast with nothing rolled back and no checkpoint.</param>
    /// <param name="error">What is wrong with it.</param>
    public static bool TryDecode(
        WalRecordType type,
        ReadOnlySpan<byte> payload,
        [NotNullWhen(true)] out AlterReplicateConfigRecord? content,
        [NotNullWhen(false)] out string? error)
    {
        try
        {
            content = type == WalRecordType.AlterReplicateConfig
                ? JsonSerializer.Deserialize<AlterReplicateConfigRecord>(payload, BatonJson.Options)
                : new AlterReplicateConfigRecord(JsonSerializer.Deserialize<BroadcastMessage>(payload, BatonJson.Options)!, [], null);
            error = Check(type, content);
        }
        catch (JsonException e)
        {
            (content, error) = (null, e.Message);
        }

        content = error is null ? content : null;
        return content is not null;
    }

    private static string? Check(WalRecordType type, AlterReplicateConfigRecord? content) => content switch
    {
        null or { Message: null } => "no message",
        { Message.Kind: null } or { Message.VChannels: null } or { Message.ResourceKeys: null } or { RolledBackTxnIds: null } => "a part is missing",
        _ when content.Message.VChannels.Any(v => v is null) => "a vchannel is null",
        _ when type != WalRecordType.AlterReplicateConfig => BroadcastRules.IsConfigChange(content.Message) ? "a change of configuration in a plain broadcast" : null,
        { Message.AlterReplicateConfig.Configuration: null } or { Message.AlterReplicateConfig: null } => "no configuration",
        _ => null,
    };
}
