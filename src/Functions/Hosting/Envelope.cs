using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Functions.Hosting;

/// <summary>
/// What the host posts to <c>/{function}</c>: the values of the input bindings, under <c>Data</c>. Its <c>Metadata</c> is not read: fields of
/// a message's body can overwrite it.
/// </summary>
internal sealed class Envelope : IDisposable
{
    private readonly JsonDocument document;
    private readonly JsonElement data;

    private Envelope(JsonDocument document, JsonElement data)
    {
        this.document = document;
        this.data = data;
    }

    /// <summary>Reads the envelope in <paramref name="request"/>.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>: it is none.</exception>
    public static async Task<Envelope> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        JsonDocument json;
        try
        {
            json = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancellationToken);
        }
        catch (JsonException)
        {
            throw Malformed("it is not JSON");
        }

        if (json.RootElement.ValueKind == JsonValueKind.Object
            && json.RootElement.TryGetProperty("Data", out var data)
            && data.ValueKind == JsonValueKind.Object)
        {
            return new Envelope(json, data);
        }

        json.Dispose();
        throw Malformed("it has no Data");
    }

    /// <summary>The HTTP request bound as <paramref name="name"/>.</summary>
    public JsonElement Object(string name)
    {
        var value = Value(name);
        return value.ValueKind == JsonValueKind.Object ? value : throw Malformed($"{name} is no object");
    }

    /// <summary>The bytes bound as <paramref name="name"/>: base64, encoded once.</summary>
    public byte[] Bytes(string name)
    {
        var value = Value(name);
        return value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes) ? bytes : throw Malformed($"{name} is not base64");
    }

    /// <summary>The value bound as <paramref name="name"/>, freed of the second encoding that the host gives to everything but objects.</summary>
    public JsonElement Decoded(string name) => Unwrap(Value(name), name);

    /// <summary>The input of an activity: a value whose JSON text was bound as a string, so that it is encoded thrice.</summary>
    public JsonElement ActivityInput(string name) => Unwrap(Decoded(name), name);

    /// <summary>The text bound as <paramref name="name"/>.</summary>
    public string Text(string name)
    {
        var value = Decoded(name);
        return value.ValueKind == JsonValueKind.String ? TextOf(value, name) : throw Malformed($"{name} is no text");
    }

    /// <summary>The value bound as <paramref name="name"/>, either as an object or as text that holds its JSON, which is then encoded thrice: so the Durable extension binds its client.</summary>
    public T As<T>(string name)
        where T : class
    {
        try
        {
            var value = Decoded(name);
            value = value.ValueKind == JsonValueKind.String ? Unwrap(value, name) : value;
            return value.Deserialize<T>(BatonJson.Options) ?? throw Malformed($"{name} is null");
        }
        catch (JsonException)
        {
            throw Malformed($"{name} has another form");
        }
    }

    /// <summary>The error for an envelope that breaks the protocol.</summary>
    public static ApiException Malformed(string reason) => new(ApiErrorCode.InvalidArgument, $"The invocation cannot be read: {reason}.");

    /// <summary>The text in <paramref name="value"/>, a JSON string.</summary>
    public static string TextOf(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Malformed($"{name} is not Unicode");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => document.Dispose();

    private static JsonElement Unwrap(JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return value;
        }

        try
        {
            using var inner = JsonDocument.Parse(TextOf(value, name));
            return inner.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw Malformed($"{name} is not encoded as JSON text");
        }
    }

    private JsonElement Value(string name) => data.TryGetProperty(name, out var value) ? value : throw Malformed($"{name} is missing");
}
