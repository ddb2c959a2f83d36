using System.Runtime.CompilerServices;
using Baton.Core.Api;
using Baton.Core.Cdc;
using Baton.Core.Replication;
using Baton.Node.Channels;
using Baton.Node.Messages;

namespace Baton.Node.Cdc;

/// <summary>A led channel as its senders see it.</summary>
/// <param name="ClusterId">This cluster.</param>
/// <param name="Channel">The channel.</param>
/// <param name="Term">The term that it is led at.</param>
/// <param name="Log">Its durable records.</param>
/// <param name="Progress">Moves with them.</param>
/// <param name="LastDurableLsn">How far they go.</param>
/// <param name="Configuration">The configuration in force on it; it may be ahead of what is durable.</param>
internal sealed record CdcSource(
    string ClusterId, string Channel, long Term, ReadLog Log, DurableProgress Progress, Func<long> LastDurableLsn, Func<ReplicateConfiguration?> Configuration)
{
    /// <summary>What is delivered of the records from one LSN through another, in delivery order, and where each record has been passed.</summary>
    /// <param name="order">Has taken every record before them, or none.</param>
    /// <param name="fromLsn">The first.</param>
    /// <param name="throughLsn">The last.</param>
    /// <param name="ct">Gives up.</param>
    public async IAsyncEnumerable<DeliveryStep> StepsAsync(DeliveryOrder order, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var entry in Log(fromLsn, throughLsn, ct))
        {
            var delivery = order.Take(entry.Lsn, entry.Record);
            foreach (var message in delivery.Messages)
            {
                yield return new DeliveryStep(message, entry.Lsn, false);
            }

            if (delivery.ReadBack is { } back)
            {
                await foreach (var earlier in Log(back.FromLsn, back.ThroughLsn, ct))
                {
                    if (back.Take(earlier.Lsn, earlier.Record) is { } message)
                    {
                        yield return new DeliveryStep(message, entry.Lsn, false);
                    }
                }

                yield return new DeliveryStep(back.Commit, entry.Lsn, false);
            }

            yield return new DeliveryStep(null, entry.Lsn, delivery.Ends);
        }
    }
}

/// <summary>A message to be delivered, or, without one, that a record has been passed.</summary>
/// <param name="Message">The message.</param>
/// <param name="Lsn">The record that delivers it.</param>
/// <param name="Ends">The direction is over behind it.</param>
internal readonly record struct DeliveryStep(ReadMessage? Message, long Lsn, bool Ends);
