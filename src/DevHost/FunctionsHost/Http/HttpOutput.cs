using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>Writes the http output of an answer, <c>{"statusCode", "body", "headers"}</c>, as the real host does.</summary>
internal static class HttpOutput
{
    // JSON bodies are written indented and, without a content-type header of the function's own, as text: functions must set the header.
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The output as an object; a string is taken for JSON text.</summary>
    /// <exception cref="InvalidDataException">It is no such object.</exception>
    public static JsonObject Parse(JsonNode? value)
    {
        try
        {
            return value switch
            {
                null => [],
                JsonObject output => output,
                JsonValue text when text.GetValueKind() == JsonValueKind.String && JsonNode.Parse(text.GetValue<string>()) is JsonObject output => output,
                _ => throw new InvalidDataException("The http output is not in the expected format."),
            };
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("The http output is not in the expected format.", e);
        }
    }

    /// <summary>Writes it.</summary>
    public static async Task WriteAsync(HttpContext context, JsonObject output)
    {
        var response = context.Response;
        if (Property(output, "headers") is JsonObject headers)
        {
            foreach (var (name, value) in headers)
            {
                // The length is the host's to say.
                if (value is not null && !name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                {
                    response.Headers[name] = value.ToString();
                }
            }
        }

        response.StatusCode = Status(Property(output, "statusCode")) ?? Status(Property(output, "status")) ?? StatusCodes.Status200OK;
        if (Property(output, "body") is { } body)
        {
            response.ContentType ??= "text/plain; charset=utf-8";
            await response.WriteAsync(body.GetValueKind() == JsonValueKind.String ? body.GetValue<string>() : body.ToJsonString(Indented), context.RequestAborted);
        }
    }

    private static int? Status(JsonNode? value) =>
        int.TryParse(value?.ToString(), NumberStyles.Integer, CultureInfo.InvariantCulture, out var status) && status is >= 100 and <= 999 ? status : null;

    private static JsonNode? Property(JsonObject output, string name) =>
        output.FirstOrDefault(p => string.Equals(p.Key, name, StringComparison.OrdinalIgnoreCase)).Value;
}
