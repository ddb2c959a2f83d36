using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>A successful answer of a function.</summary>
/// <param name="Outputs">Values for the output bindings, by binding name.</param>
/// <param name="Logs">Lines for the log.</param>
/// <param name="ReturnValue">The return value; Durable triggers use it.</param>
internal sealed record FunctionAnswer(JsonObject Outputs, IReadOnlyList<string> Logs, JsonNode? ReturnValue)
{
    /// <summary>Reads an answer's body as the real host does.</summary>
    /// <returns>Null for an empty or <c>null</c> body: such an invocation never completes.</returns>
    /// <exception cref="InvalidDataException">It is no answer; the invocation fails.</exception>
    public static FunctionAnswer? Read(MediaTypeHeaderValue? contentType, ReadOnlySpan<byte> body)
    {
        try
        {
            return Parse(contentType, body);
        }
        catch (InvalidOperationException e)
        {
            // The parser finds this out only when the text is asked for.
            throw new InvalidDataException($"The answer holds text that is not Unicode: {e.Message}", e);
        }
    }

    private static FunctionAnswer? Parse(MediaTypeHeaderValue? contentType, ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty)
        {
            return null;
        }

        if (contentType?.MediaType is not { } media || !(Is(media, "application/json") || Is(media, "text/json")))
        {
            throw new InvalidDataException($"The answer's content type is '{contentType}', not application/json.");
        }

        JsonNode? json;
        try
        {
            json = JsonNode.Parse(body, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"The answer is no JSON: {e.Message}", e);
        }

        switch (json)
        {
            case null:
                return null;
            case JsonObject answer:
                return new FunctionAnswer(
                    Property(answer, "Outputs") switch
                    {
                        null => [],
                        JsonObject outputs => (JsonObject)DateTrap.Apply(outputs)!,
                        _ => throw new InvalidDataException("The answer's Outputs is no object."),
                    },
                    Property(answer, "Logs") switch
                    {
                        null => [],
                        JsonArray lines => [.. lines.Select(l => l?.ToString() ?? string.Empty)],
                        _ => throw new InvalidDataException("The answer's Logs is no array."),
                    },
                    DateTrap.Apply(Property(answer, "ReturnValue")));
            default:
                throw new InvalidDataException("The answer is no JSON object.");
        }
    }

    private static bool Is(string media, string expected) => string.Equals(media, expected, StringComparison.OrdinalIgnoreCase);

    private static JsonNode? Property(JsonObject answer, string name) =>
        answer.FirstOrDefault(p => string.Equals(p.Key, name, StringComparison.OrdinalIgnoreCase)).Value;
}
