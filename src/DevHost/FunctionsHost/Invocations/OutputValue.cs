using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>What an output binding sends for a value of <c>Outputs</c>.</summary>
internal static class OutputValue
{
    /// <summary>The messages that a queue output sends: none for null, one for each element of an array, otherwise one.</summary>
    /// <param name="value">The value.</param>
    /// <param name="binary">The binding's data type is binary: strings are left alone.</param>
    public static IReadOnlyList<byte[]> Messages(JsonNode? value, bool binary) => value switch
    {
        null => [],
        JsonArray many => [.. many.OfType<JsonNode>().Select(one => Body(one, binary: true))],
        _ => [Body(value, binary)],
    };

    private static byte[] Body(JsonNode value, bool binary)
    {
        if (value.GetValueKind() != JsonValueKind.String)
        {
            return Encoding.UTF8.GetBytes(value.ToJsonString(Envelope.Json));
        }

        var text = value.GetValue<string>();
        return !binary && FromBase64(text) is { } trapped ? trapped : Encoding.UTF8.GetBytes(text);
    }

    // The base64 trap: a string that happens to be valid base64 ("test") is sent as the bytes it decodes to.
    private static byte[]? FromBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
