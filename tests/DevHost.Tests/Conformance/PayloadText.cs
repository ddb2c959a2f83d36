using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>Inputs, results and payloads in one form of writing, so that values are compared, not how a JSON writer escapes them.</summary>
internal static class PayloadText
{
    private const int ShownLength = 240;
    private static readonly JsonSerializerOptions Form = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A payload in a line of a history, led by a blank. Empty for none and for null: .NET has one null, and its workers write none.</summary>
    public static string InLine(string? json)
    {
        var text = Canonical(json);
        return text.Length <= ShownLength
            ? (text.Length == 0 ? text : $" {text}")
            : string.Create(CultureInfo.InvariantCulture, $" {text[..60]}… ({text.Length} characters, SHA-256 {Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16]})");
    }

    /// <summary>JSON text in the one form, text that is no JSON as a string; empty for none and for null.</summary>
    public static string Canonical(string? json)
    {
        if (json is null)
        {
            return string.Empty;
        }

        JsonNode? node;
        try
        {
            node = JsonNode.Parse(json);
        }
        catch (JsonException)
        {
            node = JsonValue.Create(json);
        }

        return node is null ? string.Empty : Rewrite(node)!.ToJsonString(Form);
    }

    // Numbers by value: a fraction of zero is written by some and not by others.
    private static JsonNode? Rewrite(JsonNode? node) => node switch
    {
        JsonObject value => new JsonObject(value.Select(p => KeyValuePair.Create(p.Key, Rewrite(p.Value)))),
        JsonArray value => new JsonArray([.. value.Select(Rewrite)]),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number && !value.TryGetValue(out long _) => JsonNode.Parse(Number(value.GetValue<double>())),
        _ => node?.DeepClone(),
    };

    private static string Number(double value) => value == Math.Truncate(value) && Math.Abs(value) < 1e15
        ? value.ToString("F0", CultureInfo.InvariantCulture)
        : value.ToString("R", CultureInfo.InvariantCulture);
}
