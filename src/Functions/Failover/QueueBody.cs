using System.Security.Cryptography;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Timeline;

namespace Baton.Functions.Failover;

/// <summary>Bodies of queue messages: anybody may have written them.</summary>
internal static class QueueBody
{
    /// <summary>The body as <typeparamref name="T"/>, or why it is none.</summary>
    public static (T? Value, string? Unreadable) Read<T>(ReadOnlyMemory<byte> body)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(body.Span, BatonJson.Options) is { } value ? (value, null) : (null, "the body is null");
        }
        catch (JsonException e)
        {
            return (null, $"no JSON of this form at {e.Path ?? "$"}");
        }
    }
}

/// <summary>A message that nobody can act on, as it goes to the dead-letter queue.</summary>
/// <param name="Queue">Where it came from.</param>
/// <param name="Reason">Why nobody can.</param>
/// <param name="At">When that was found (UTC).</param>
/// <param name="BodyBase64">The message.</param>
internal sealed record DeadLetter(string Queue, string Reason, DateTimeOffset At, string BodyBase64)
{
    /// <summary>Its timeline row. A message without an event id is known by its content.</summary>
    public TimelineEntry ToEntry(string? eventId)
    {
        var id = eventId is not null && Names.IsValidId(eventId) ? eventId : Convert.ToHexStringLower(SHA256.HashData(Convert.FromBase64String(BodyBase64)))[..16];
        return new TimelineEntry($"deadletter-{id}", TimelineKinds.DeadLetter, At, $"A message on {Queue} was dead-lettered: {Reason}.");
    }
}
