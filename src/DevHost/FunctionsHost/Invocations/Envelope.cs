using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>
/// The body that a function is called with: <c>{"Data":{…},"Metadata":{…}}</c>. Its values follow the double-JSON rule: objects are nested, bytes are base64,
/// and everything else is a JSON string that holds the value's JSON text.
/// </summary>
internal static class Envelope
{
    /// <summary>JSON as the real host writes it: quotes are escaped with a backslash, nothing else needlessly.</summary>
    public static JsonSerializerOptions Json { get; } = CreateOptions();

    /// <summary>Puts an envelope together.</summary>
    /// <param name="function">The function's name.</param>
    /// <param name="data">Trigger and input values, encoded.</param>
    /// <param name="metadata">Binding data, encoded; null values and names that end in "trigger" are left out.</param>
    /// <param name="now">For <c>sys.UtcNow</c>.</param>
    public static JsonObject Create(string function, JsonObject data, JsonObject metadata, DateTimeOffset now)
    {
        var kept = new JsonObject();
        foreach (var (name, value) in metadata)
        {
            if (value is not null && !name.EndsWith("trigger", StringComparison.OrdinalIgnoreCase))
            {
                kept[name] = value.DeepClone();
            }
        }

        kept["sys"] = new JsonObject
        {
            ["MethodName"] = function,
            ["UtcNow"] = Date(now.UtcDateTime),
            ["RandGuid"] = Guid.NewGuid().ToString(),
        };
        return new JsonObject { ["Data"] = data, ["Metadata"] = kept };
    }

    /// <summary>Encodes one value.</summary>
    public static JsonNode Value(object? value) => value switch
    {
        JsonObject nested => nested.DeepClone(),
        byte[] bytes => JsonValue.Create(Convert.ToBase64String(bytes)),
        DateTime time => Date(time),
        DateTimeOffset time => JsonValue.Create(time.ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture)),
        IReadOnlyDictionary<string, string> map => new JsonObject(map.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)JsonValue.Create(p.Value)))),
        JsonNode node => JsonValue.Create(node.ToJsonString(Json)),
        _ => JsonValue.Create(JsonSerializer.Serialize(value, Json)),
    };

    /// <summary>
    /// What the real host does to a string trigger that holds a JSON object: its top-level properties that are no arrays overwrite the metadata of the same name.
    /// </summary>
    public static void Inject(JsonObject metadata, string triggerValue)
    {
        JsonObject? parsed;
        try
        {
            parsed = JsonNode.Parse(triggerValue) as JsonObject;
        }
        catch (JsonException)
        {
            return;
        }

        foreach (var (name, value) in parsed ?? [])
        {
            switch (value)
            {
                case JsonObject nested:
                    metadata[name] = nested.DeepClone();
                    break;
                case JsonValue scalar:
                    metadata[name] = Value(scalar.GetValueKind() == JsonValueKind.String ? scalar.GetValue<string>() : scalar.ToJsonString(Json));
                    break;
            }
        }
    }

    /// <summary>As above, cut to seconds and without its zone.</summary>
    private static JsonValue Date(DateTime time) => JsonValue.Create(time.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture));

    private static JsonSerializerOptions CreateOptions()
    {
        var options = new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
