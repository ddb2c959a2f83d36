using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>Sends the caller's own request on to the handler, and its answer back.</summary>
internal static class Forwarding
{
    private static readonly HashSet<string> HopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.TransferEncoding, HeaderNames.Upgrade, HeaderNames.TE, HeaderNames.Trailer, HeaderNames.ProxyConnection,
    };

    /// <summary>
    /// The request to send: the original method, path, query (repeated keys joined with commas) and headers. Without a Content-Length above zero the body
    /// is lost, and of the content's headers only type and length survive.
    /// </summary>
    public static HttpRequestMessage Request(HttpRequest original, Uri handler)
    {
        var query = original.Query.Select(q => KeyValuePair.Create(q.Key, (string?)q.Value.ToString()));
        var path = QueryHelpers.AddQueryString(original.PathBase.Add(original.Path).ToUriComponent(), query);
        var request = new HttpRequestMessage(new HttpMethod(original.Method), new Uri(handler, path));
        foreach (var (name, value) in original.Headers)
        {
            if (!HopByHop.Contains(name))
            {
                // Content headers are refused here, and get lost.
                request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
            }
        }

        if (original.ContentLength > 0)
        {
            request.Content = new StreamContent(original.Body);
            request.Content.Headers.ContentLength = original.ContentLength;
            if (!string.IsNullOrEmpty(original.ContentType))
            {
                request.Content.Headers.TryAddWithoutValidation(HeaderNames.ContentType, original.ContentType);
            }
        }

        return request;
    }

    /// <summary>A header that speaks of one connection and is not sent on.</summary>
    public static bool IsHopByHop(string name) => HopByHop.Contains(name);

    /// <summary>Writes the handler's answer to the caller, whatever its status.</summary>
    public static async Task WriteAsync(HttpContext context, HttpResponseMessage answer)
    {
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (!HopByHop.Contains(name))
            {
                context.Response.Headers[name] = values.ToArray();
            }
        }

        if (context.Response.StatusCode is not (StatusCodes.Status204NoContent or StatusCodes.Status304NotModified))
        {
            await answer.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
    }
}
