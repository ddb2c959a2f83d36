using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Node.Channels;

/// <summary>A channel as of one LSN, as the log keeps it for the next opening: docs/wal-format.md, "Channel snapshot".</summary>
/// <param name="Version">The form; only <see cref="Present"/> is read.</param>
/// <param name="Machine">The rules' own state.</param>
/// <param name="Sizes">Payload bytes of the open local transactions, by id.</param>
/// <param name="Owed">Acks that the control plane had not taken, in the log's order.</param>
/// <param name="Metadata">The catalogue, in a snapshot of the channel that is its log.</param>
internal sealed record ChannelSnapshot(int Version, byte[] Machine, SortedDictionary<long, long> Sizes, IReadOnlyList<OwedAck> Owed, byte[]? Metadata = null)
{
    /// <summary>The version that this node writes.</summary>
    public const int Present = 1;

    /// <summary>The bytes.</summary>
    public byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(this, BatonJson.Options);

    /// <summary>Reads the bytes; null where they are something else, or of another version.</summary>
    public static ChannelSnapshot? TryDecode(ReadOnlySpan<byte> content, out string? problem)
    {
        try
        {
            var snapshot = JsonSerializer.Deserialize<ChannelSnapshot>(content, BatonJson.Options);
            problem = snapshot switch
            {
                null => "it is null",
                { Version: not Present } => $"version {snapshot.Version} is unknown",
                { Machine: null } or { Sizes: null } or { Owed: null } => "a part is missing",
                _ when snapshot.Owed.Any(o => o is not { Request: { VChannel: not null, Ack: not null, Message: not null, Source: not null } }) => "an ack without a part",
                _ => null,
            };
            return problem is null ? snapshot : null;
        }
        catch (JsonException e)
        {
            problem = e.Message;
            return null;
        }
    }
}

/// <summary>An ack that is still to be taken by the control plane.</summary>
/// <param name="Lsn">LSN of its record.</param>
/// <param name="BroadcastId">The broadcast.</param>
/// <param name="Request">What is sent.</param>
internal sealed record OwedAck(long Lsn, long BroadcastId, BroadcastAckRequest Request);
