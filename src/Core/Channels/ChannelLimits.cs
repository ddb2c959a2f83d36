using Baton.Core.Transactions;

namespace Baton.Core.Channels;

/// <summary>Bounds of one channel's memory and of one request to it.</summary>
/// <param name="Transactions">Bounds of transactions.</param>
/// <param name="Producers">Producers remembered, those that wrote last. One that is forgotten and then repeats a write is not recognised: make it larger than the producers that can be retrying at once.</param>
/// <param name="SequencesPerProducer">Writes remembered of each. A producer may have that many outstanding.</param>
/// <param name="Broadcasts">Broadcast records remembered, the latest. One that is forgotten and sent again is appended again, under the same broadcast id.</param>
/// <param name="MaxMessages">Messages, or replicated records, of one request.</param>
/// <param name="MaxPayloadBytes">Payload of one message.</param>
/// <param name="MaxKeyLength">Characters of a message's key.</param>
public sealed record ChannelLimits(
    TransactionLimits Transactions,
    int Producers = 10_000,
    int SequencesPerProducer = 5,
    int Broadcasts = 10_000,
    int MaxMessages = 1_000,
    int MaxPayloadBytes = 1 << 20,
    int MaxKeyLength = 1_024)
{
    /// <summary>The limits of a node that sets none.</summary>
    public static ChannelLimits Default { get; } = new(new TransactionLimits());
}
