using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.Functions.Tests.Hosting;

/// <summary>Calls a handler as the Functions host does: values in envelopes encoded twice, objects once.</summary>
internal static class HostCalls
{
    /// <summary>Invokes <paramref name="function"/> with these input bindings.</summary>
    public static async Task<(HttpStatusCode Status, JsonObject Body)> InvokeAsync(this HttpClient client, string function, params (string Name, JsonNode? Value)[] data)
    {
        var values = new JsonObject(data.Select(d => KeyValuePair.Create(d.Name, d.Value)));
        var metadata = new JsonObject { ["sys"] = new JsonObject { ["MethodName"] = function, ["UtcNow"] = "2026-01-02T03:04:05", ["RandGuid"] = Guid.NewGuid() } };
        var envelope = new JsonObject { ["Data"] = values, ["Metadata"] = metadata };
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/{function}") { Content = new StringContent(envelope.ToJsonString(), Encoding.UTF8, "application/json") };
        request.Headers.TransferEncodingChunked = true;
        request.Headers.Add("X-Azure-Functions-InvocationId", Guid.NewGuid().ToString());
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.NotEmpty(text);
        return (response.StatusCode, Assert.IsType<JsonObject>(JsonNode.Parse(text)));
    }

    /// <summary>A value that is not an object: a string holding its JSON text.</summary>
    public static JsonNode Encoded(JsonNode? value) => JsonValue.Create(value?.ToJsonString() ?? "null");

    /// <summary>An activity's input: its JSON text as a string value.</summary>
    public static JsonNode Input(string? json) => Encoded(json is null ? null : JsonValue.Create(json));

    /// <summary>The request as an HTTP trigger's value.</summary>
    public static JsonObject Http(Call call)
    {
        var request = new JsonObject
        {
            ["Url"] = $"http://{call.Host}{Uri.UnescapeDataString(call.Path)}{call.Query}",
            ["Method"] = call.Method,
            ["Query"] = new JsonObject(call.QueryValues.Select(x => KeyValuePair.Create(x.Key, (JsonNode?)x.Value))),
            ["Headers"] = new JsonObject(call.AllHeaders.Select(x => KeyValuePair.Create(x.Key, (JsonNode?)new JsonArray([.. x.Value.Select(v => JsonValue.Create(v))])))),
            ["Params"] = new JsonObject(call.Route.Select(x => KeyValuePair.Create(x.Key, (JsonNode?)x.Value))),
            ["Identities"] = new JsonArray(),
        };
        if (call.Body.Length > 0)
        {
            var binary = call.ContentType is not null && (call.ContentType.StartsWith("multipart/", StringComparison.Ordinal) || call.ContentType == "application/octet-stream");
            request["Body"] = binary ? Convert.ToBase64String(call.Body) : Encoding.UTF8.GetString(call.Body);
        }

        return request;
    }

    /// <summary>The request as the host forwards it.</summary>
    public static async Task<HttpResponseMessage> ForwardAsync(this HttpClient client, Call call)
    {
        var query = string.Join('&', call.QueryValues.Select(x => $"{Uri.EscapeDataString(x.Key)}={Uri.EscapeDataString(x.Value)}"));
        using var request = new HttpRequestMessage(new HttpMethod(call.Method), $"{call.Path}{(query.Length == 0 ? string.Empty : $"?{query}")}");
        request.Headers.Host = call.Host;
        foreach (var (name, values) in call.Headers)
        {
            request.Headers.Add(name, values);
        }

        if (call.Body.Length > 0)
        {
            request.Content = new ByteArrayContent(call.Body);
            request.Content.Headers.ContentType = call.ContentType is null ? null : MediaTypeHeaderValue.Parse(call.ContentType);
        }

        return await client.SendAsync(request);
    }

    /// <summary>The answer in <c>Outputs.res</c>.</summary>
    public static (int Status, string Body, IReadOnlyDictionary<string, string> Headers) HttpOutput(this JsonObject answer)
    {
        var output = answer["Outputs"]!["res"]!.AsObject();
        Assert.Equal(JsonValueKind.String, output["body"]!.GetValueKind());
        return (
            int.Parse(output["statusCode"]!.GetValue<string>()),
            output["body"]!.GetValue<string>(),
            output["headers"]!.AsObject().ToDictionary(h => h.Key, h => h.Value!.GetValue<string>(), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>Fails where the host would wait for ever or take a text for base64.</summary>
    public static void AssertOutputsSurvive(this JsonObject answer)
    {
        foreach (var (name, value) in answer["Outputs"]!.AsObject())
        {
            if (value!.GetValueKind() == JsonValueKind.String)
            {
                Assert.False(Convert.TryFromBase64String(value.GetValue<string>(), new byte[value.GetValue<string>().Length], out _), $"{name} is base64");
            }
        }
    }
}

/// <summary>A caller's request.</summary>
public sealed record Call(string Method, string Path, string Query = "", string? ContentType = null)
{
    public string Host { get; init; } = "baton.example:7071";

    public byte[] Body { get; init; } = [];

    public IReadOnlyDictionary<string, string> Route { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>As the host flattens them: repeated keys joined.</summary>
    public IReadOnlyDictionary<string, string> QueryValues { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string[]> Headers { get; init; } = new Dictionary<string, string[]>(StringComparer.Ordinal);

    public IEnumerable<KeyValuePair<string, string[]>> AllHeaders
    {
        get
        {
            var headers = Headers.Append(KeyValuePair.Create("Host", new[] { Host }));
            if (Body.Length > 0)
            {
                headers = headers.Append(KeyValuePair.Create("Content-Length", new[] { $"{Body.Length}" }));
            }

            return ContentType is null ? headers : headers.Append(KeyValuePair.Create("Content-Type", new[] { ContentType }));
        }
    }

    public override string ToString() => $"{Method} {Path} {ContentType}";
}
