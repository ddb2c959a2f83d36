using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Node.Messages;

/// <summary>What readers need of the records that change the replicate configuration.</summary>
internal static class ConfigurationRecord
{
    /// <summary>The record's content.</summary>
    /// <exception cref="JsonException">The payload is no such content: the log holds what no writer of this version wrote.</exception>
    public static AlterReplicateConfigRecord Parse(WalRecord record) =>
        JsonSerializer.Deserialize<AlterReplicateConfigRecord>(record.Payload.Span, BatonJson.Options)
        ?? throw new JsonException("a configuration record holds null");

    /// <summary>Which transactions that were open at the record ended there: all at a forced change, else those that it names; none at an ignored one.</summary>
    public static Func<long, bool> EndsTransaction(WalRecord record)
    {
        var content = Parse(record);
        return content.Message.AlterReplicateConfig switch
        {
            null or { Ignored: true } => _ => false,
            { Forced: true } => _ => true,
            _ => content.RolledBackTxnIds.Contains,
        };
    }

    /// <summary>The payload without the clusters' tokens, which are for CDC alone.</summary>
    public static ReadOnlyMemory<byte> WithoutTokens(WalRecord record)
    {
        var content = Parse(record);
        if (content.Message.AlterReplicateConfig is not { } change)
        {
            return record.Payload;
        }

        var bare = ReplicateTokens.Hidden(change.Configuration)!;
        return JsonSerializer.SerializeToUtf8Bytes(
            content with { Message = content.Message with { AlterReplicateConfig = change with { Configuration = bare } } },
            BatonJson.Options);
    }
}
