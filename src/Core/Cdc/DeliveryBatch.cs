using Baton.Core.Api;

namespace Baton.Core.Cdc;

/// <summary>What one replicate request may hold. Both are below what a node takes (1,000 records, 8 MiB of body), which its version fixes and not its settings.</summary>
/// <param name="MaxRecords">Records.</param>
/// <param name="MaxBodyBytes">Bytes of its JSON, estimated from above. A record that alone is more goes alone.</param>
public sealed record DeliveryLimits(int MaxRecords, int MaxBodyBytes);

/// <summary>What one replicate request holds.</summary>
/// <param name="Messages">In delivery order; empty where nothing of what was passed is delivered.</param>
/// <param name="ThroughLsn">When these are durable in the target, so is everything that is delivered up to this LSN. Within a transaction it stands before the commit.</param>
/// <param name="Ends">The direction is over behind them.</param>
public sealed record DeliveryBatch(IReadOnlyList<ReadMessage> Messages, long ThroughLsn, bool Ends);

/// <summary>Collects messages into one batch.</summary>
/// <param name="limits">Its bounds.</param>
/// <param name="throughLsn">What the batches before it have covered.</param>
public sealed class DeliveryBatchBuilder(DeliveryLimits limits, long throughLsn)
{
    /// <summary>Names and numbers of a record in JSON: some 250 bytes where they are longest.</summary>
    private const int RecordBytes = 512;

    /// <summary>A character of a key may be written as an escape.</summary>
    private const int CharacterBytes = 6;

    private readonly List<ReadMessage> _messages = [];
    private long _bytes;
    private bool _ends;

    /// <summary>LSN up to which everything delivered is in this batch or an earlier one.</summary>
    public long ThroughLsn { get; private set; } = throughLsn;

    /// <summary>It has messages.</summary>
    public bool HasMessages => _messages.Count > 0;

    /// <summary>Adds a message; false where it has to go into the next batch.</summary>
    public bool TryAdd(ReadMessage message)
    {
        var bytes = BodyBytes(message);
        if (HasMessages && (_messages.Count >= limits.MaxRecords || _bytes + bytes > limits.MaxBodyBytes))
        {
            return false;
        }

        _messages.Add(message);
        _bytes += bytes;
        return true;
    }

    /// <summary>The record at <paramref name="lsn"/> has been passed: all that it delivers has been added.</summary>
    /// <param name="lsn">Its LSN.</param>
    /// <param name="ends">It ends the direction.</param>
    public void Pass(long lsn, bool ends)
    {
        ThroughLsn = lsn;
        _ends |= ends;
    }

    /// <summary>The batch.</summary>
    public DeliveryBatch Build() => new([.. _messages], ThroughLsn, _ends);

    /// <summary>Bytes of a message in a request's JSON, at most.</summary>
    public static long BodyBytes(ReadMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return RecordBytes + ((message.Payload.Length + 2L) / 3 * 4) + (CharacterBytes * (long)((message.Key?.Length ?? 0) + (message.VChannel?.Length ?? 0)));
    }
}
