using System.Text;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Invocations;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>An HTTP request as a value in an envelope.</summary>
internal static class HttpEnvelope
{
    /// <summary>The request as an object. The body is left out without a Content-Length above zero: chunked uploads lose theirs.</summary>
    public static async Task<JsonObject> RequestAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var value = new JsonObject
        {
            ["Url"] = $"{request.Scheme}://{request.Host}{request.Path}{request.QueryString}",
            ["Method"] = request.Method,
            ["Query"] = Query(request),
            ["Headers"] = new JsonObject(request.Headers.Select(h => KeyValuePair.Create(h.Key, (JsonNode?)new JsonArray([.. h.Value.Select(v => (JsonNode?)v)])))),
            ["Params"] = RouteValues(request),
            ["Identities"] = new JsonArray(new JsonObject
            {
                ["AuthenticationType"] = null,
                ["IsAuthenticated"] = false,
                ["Actor"] = null,
                ["BootstrapContext"] = null,
                ["Claims"] = new JsonArray(),
                ["Label"] = null,
                ["Name"] = null,
                ["NameClaimType"] = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
                ["RoleClaimType"] = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
            }),
        };
        if (request.ContentLength > 0)
        {
            value["Body"] = await BodyAsync(request, cancellationToken);
        }

        return value;
    }

    /// <summary>The metadata of an HTTP trigger: query, headers, and each route value.</summary>
    public static JsonObject Metadata(HttpRequest request)
    {
        var metadata = new JsonObject
        {
            ["Query"] = Query(request),
            ["Headers"] = new JsonObject(request.Headers.Select(h => KeyValuePair.Create(h.Key, (JsonNode?)h.Value.ToString()))),
        };
        foreach (var (name, value) in request.RouteValues)
        {
            metadata[name] = value is null ? null : Envelope.Value(value);
        }

        return metadata;
    }

    private static async Task<JsonNode> BodyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellationToken);
        var media = request.GetTypedHeaders().ContentType?.MediaType.Value ?? string.Empty;
        if (media.Equals("application/octet-stream", StringComparison.OrdinalIgnoreCase) || media.Contains("multipart/", StringComparison.OrdinalIgnoreCase))
        {
            return JsonValue.Create(Convert.ToBase64String(body.ToArray()));
        }

        body.Position = 0;
        using var text = new StreamReader(body, Encoding.UTF8, detectEncodingFromByteOrderMarks: true);
        return JsonValue.Create(await text.ReadToEndAsync(cancellationToken));
    }

    // Repeated keys are joined with commas, as the real host does.
    private static JsonObject Query(HttpRequest request) =>
        new(request.Query.Select(q => KeyValuePair.Create(q.Key, (JsonNode?)q.Value.ToString())));

    private static JsonObject RouteValues(HttpRequest request) =>
        new(request.RouteValues.Select(r => KeyValuePair.Create(r.Key, (JsonNode?)r.Value?.ToString())));
}
