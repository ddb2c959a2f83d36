using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Baton.Functions.Hosting;

/// <summary>Makes of the request that an envelope describes the one that the host would have forwarded.</summary>
internal static class EnvelopedRequest
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Puts <paramref name="request"/> in place of the envelope's own request.</summary>
    public static void Install(IFeatureCollection features, string route, JsonElement request)
    {
        var headers = Headers(request);
        var body = Body(request, headers["Content-Type"]);
        var url = Uri.TryCreate(Text(request, "Url"), UriKind.Absolute, out var absolute) ? absolute : null;
        var values = RouteValues(request);

        headers.Remove("Transfer-Encoding");
        headers.ContentLength = body.Length == 0 && headers.ContentLength is null ? null : body.Length;
        if (!headers.ContainsKey("Host"))
        {
            headers["Host"] = url?.Authority ?? "localhost";
        }

        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Method = Text(request, "Method")?.ToUpperInvariant() ?? throw Envelope.Malformed("the request has no Method"),
            Scheme = url?.Scheme ?? Uri.UriSchemeHttp,
            Protocol = HttpProtocol.Http11,
            Path = HttpRoute.Path(route, values).Value!,
            QueryString = Query(request).Value!,
            Headers = headers,
            Body = new MemoryStream(body, writable: false),
        });
        features.Set<IRouteValuesFeature>(new RouteValuesFeature { RouteValues = values });
        features.Set<IHttpRequestBodyDetectionFeature>(new BodyPresence(body.Length > 0));

        // These read the host's own request; without them the new one is read.
        features.Set<IRequestBodyPipeFeature>(null);
        features.Set<IQueryFeature>(null);
    }

    private static HeaderDictionary Headers(JsonElement request)
    {
        var headers = new HeaderDictionary();
        foreach (var header in Properties(request, "Headers"))
        {
            headers[header.Name] = header.Value.ValueKind == JsonValueKind.Array
                ? new StringValues([.. header.Value.EnumerateArray().Select(value => Scalar(value, header.Name))])
                : Scalar(header.Value, header.Name);
        }

        return headers;
    }

    // The host flattens repeated keys to one value, as it does when it forwards.
    private static QueryString Query(JsonElement request) =>
        QueryString.Create(Properties(request, "Query").Select(pair => KeyValuePair.Create(pair.Name, (string?)Scalar(pair.Value, pair.Name))));

    private static RouteValueDictionary RouteValues(JsonElement request)
    {
        var values = new RouteValueDictionary();
        foreach (var value in Properties(request, "Params"))
        {
            values[value.Name] = Scalar(value.Value, value.Name);
        }

        return values;
    }

    // The host sends text as text and these two media types as base64. A form it has parsed is taken as it stands.
    private static byte[] Body(JsonElement request, StringValues contentType)
    {
        if (!request.TryGetProperty("Body", out var body) || body.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (body.ValueKind != JsonValueKind.String)
        {
            return Utf8.GetBytes(body.GetRawText());
        }

        if (!IsBinary(contentType.ToString()))
        {
            return Utf8.GetBytes(Envelope.TextOf(body, "Body"));
        }

        return body.TryGetBytesFromBase64(out var bytes) ? bytes : throw Envelope.Malformed("Body is not base64");
    }

    private static bool IsBinary(string contentType)
    {
        var mediaType = contentType.Split(';')[0].Trim();
        return mediaType.Equals("application/octet-stream", StringComparison.OrdinalIgnoreCase)
            || mediaType.Contains("multipart/", StringComparison.OrdinalIgnoreCase);
    }

    private static JsonElement.ObjectEnumerator Properties(JsonElement request, string name)
    {
        if (!request.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return default;
        }

        return value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw Envelope.Malformed($"{name} is no object");
    }

    private static string? Text(JsonElement request, string name) =>
        request.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? Envelope.TextOf(value, name) : null;

    private static string Scalar(JsonElement value, string name) => value.ValueKind switch
    {
        JsonValueKind.String => Envelope.TextOf(value, name),
        JsonValueKind.Null => string.Empty,
        _ => value.GetRawText(),
    };

    private sealed class BodyPresence(bool canHaveBody) : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody { get; } = canHaveBody;
    }
}
