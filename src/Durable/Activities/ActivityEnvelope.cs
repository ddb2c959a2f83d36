using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Durable;

/// <summary>
/// What an activity function answers: <c>{"ok": value}</c> or <c>{"failed": details}</c>, both with status 200. The host
/// drops the body of any other status, and with it the reason of a failure.
/// </summary>
/// <remarks>
/// The host parses and rewrites the answer: text that looks like a date comes back in another form, and fractions pass
/// through a double. A value with either in it therefore travels as text: <c>{"okText": "the value's JSON"}</c>.
/// </remarks>
public static class ActivityEnvelope
{
    private const string OkProperty = "ok";
    private const string OkTextProperty = "okText";
    private const string FailedProperty = "failed";

    /// <summary>The answer of an activity that returned <paramref name="value"/>.</summary>
    /// <exception cref="JsonException">The value has no JSON form.</exception>
    public static JsonElement Ok(object? value)
    {
        JsonElement json = JsonSerializer.SerializeToElement(value, value?.GetType() ?? typeof(object), BatonJson.Options);
        return HostRewrites(json) ? Wrap(OkTextProperty, json.GetRawText()) : Wrap(OkProperty, json);
    }

    /// <summary>The answer of an activity that threw <paramref name="exception"/>.</summary>
    public static JsonElement Failed(Exception exception) => Wrap(FailedProperty, TaskFailureDetails.FromException(exception));

    /// <summary>The value in the answer of activity <paramref name="name"/>.</summary>
    /// <exception cref="TaskFailedException">It failed, or the answer is none or holds another type.</exception>
    internal static T Unwrap<T>(string name, int taskId, string? answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer ?? "null");
            JsonElement root = document.RootElement;
            if (root.ValueKind is not JsonValueKind.Object)
            {
                throw new JsonException("The answer is not an object.");
            }

            if (root.TryGetProperty(FailedProperty, out JsonElement failed))
            {
                TaskFailureDetails details = failed.Deserialize<TaskFailureDetails>(BatonJson.Options) ?? throw new JsonException("The failure has no details.");
                throw new TaskFailedException(name, taskId, details.Plain());
            }

            if (root.TryGetProperty(OkProperty, out JsonElement ok))
            {
                return ok.Deserialize<T>(BatonJson.Options)!;
            }

            return root.TryGetProperty(OkTextProperty, out JsonElement text)
                ? JsonSerializer.Deserialize<T>(text.GetString()!, BatonJson.Options)!
                : throw new JsonException("The answer holds neither a result nor a failure.");
        }
        catch (Exception unreadable) when (unreadable is JsonException or NotSupportedException or ArgumentNullException or InvalidOperationException)
        {
            TaskFailureDetails reason = TaskFailureDetails.FromException(unreadable) with
            {
                ErrorMessage = $"The answer of activity '{name}' is no activity envelope with a {typeof(T)}: {unreadable.Message}",
            };
            throw new TaskFailedException(name, taskId, reason);
        }
    }

    private static JsonElement Wrap(string property, object content)
        => JsonSerializer.SerializeToElement(new Dictionary<string, object>(StringComparer.Ordinal) { [property] = content }, BatonJson.Options);

    private static bool HostRewrites(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().Any(static property => HostRewrites(property.Value)),
        JsonValueKind.Array => json.EnumerateArray().Any(HostRewrites),
        JsonValueKind.Number => !json.TryGetInt64(out _),
        JsonValueKind.String => IsDateToHost(json.GetString()!),
        _ => false,
    };

    // The two date forms of the host's parser: ISO 8601 with a time, and "/Date(ms)/".
    private static bool IsDateToHost(string text)
        => (text.Length >= 19 && char.IsAsciiDigit(text[0]) && text[10] == 'T') || text.StartsWith("/Date(", StringComparison.Ordinal);
}
