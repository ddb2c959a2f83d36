using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Storage.Queues.Models;
using Baton.Core.Api;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;

namespace Baton.DevHost.FunctionsHost.Queues;

/// <summary>What a received message looks like to its function, and to the dead-letter queue.</summary>
internal static class QueueDelivery
{
    /// <summary>The trigger's value, encoded: base64 for binary, otherwise the text.</summary>
    public static JsonNode Value(QueueTrigger trigger, byte[] body) => trigger.Binary ? Envelope.Value(body) : Envelope.Value(Encoding.UTF8.GetString(body));

    /// <summary>The trigger's metadata, as the Service Bus extension gives it. What storage queues do not know is left out.</summary>
    public static JsonObject Metadata(QueueTrigger trigger, QueueMessage message, byte[] body)
    {
        var enqueued = message.InsertedOn ?? DateTimeOffset.UnixEpoch;
        var expires = message.ExpiresOn ?? DateTimeOffset.MaxValue;
        var metadata = new JsonObject
        {
            ["MessageId"] = Envelope.Value(message.MessageId),
            ["DeliveryCount"] = Envelope.Value(message.DequeueCount),
            ["SequenceNumber"] = Envelope.Value(enqueued.ToUnixTimeMilliseconds()),
            ["LockToken"] = Envelope.Value(message.PopReceipt),
            ["EnqueuedTimeUtc"] = Envelope.Value(enqueued.UtcDateTime),
            ["EnqueuedTime"] = Envelope.Value(enqueued),
            ["ExpiresAtUtc"] = Envelope.Value(expires.UtcDateTime),
            ["ExpiresAt"] = Envelope.Value(expires),
            ["ApplicationProperties"] = new JsonObject(),
            ["UserProperties"] = new JsonObject(),
            ["MessageActions"] = new JsonObject(),
            ["MessageReceiver"] = new JsonObject(),
            ["ReceiveActions"] = new JsonObject(),
            ["Client"] = new JsonObject(),
        };
        if (!trigger.Binary)
        {
            Envelope.Inject(metadata, Encoding.UTF8.GetString(body));
        }

        return metadata;
    }

    /// <summary>The message that goes to the dead-letter queue. Service Bus keeps the reason beside the body; a storage queue has the body only.</summary>
    public static byte[] DeadLetter(string queue, QueueMessage message, byte[] body, string reason, string detail) => JsonSerializer.SerializeToUtf8Bytes(
        new DeadLetteredMessage(queue, message.MessageId, reason, detail, message.DequeueCount, message.InsertedOn, Convert.ToBase64String(body)),
        BatonJson.Options);
}

/// <summary>A body of a dead-letter queue.</summary>
/// <param name="Queue">Where it could not be delivered.</param>
/// <param name="MessageId">Its id there.</param>
/// <param name="Reason">The Service Bus reason, such as <c>MaxDeliveryCountExceeded</c>.</param>
/// <param name="Detail">What happened last.</param>
/// <param name="DeliveryCount">How often it was delivered.</param>
/// <param name="EnqueuedAt">When it was sent.</param>
/// <param name="Body">Its body, base64.</param>
public sealed record DeadLetteredMessage(string Queue, string MessageId, string Reason, string Detail, long DeliveryCount, DateTimeOffset? EnqueuedAt, string Body);
