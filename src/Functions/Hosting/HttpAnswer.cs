using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace Baton.Functions.Hosting;

/// <summary>A function's whole HTTP answer.</summary>
internal sealed class HttpAnswer
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly int status;
    private readonly IHeaderDictionary headers;
    private readonly ReadOnlyMemory<byte> body;

    /// <summary>The answer with these parts; lengths and bodies that its status forbids are dropped.</summary>
    public HttpAnswer(int status, IHeaderDictionary headers, ReadOnlyMemory<byte> body)
    {
        this.status = status;
        this.headers = headers;
        this.body = status is StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified ? default : body;
        headers.Remove("Content-Length");
        headers.Remove("Transfer-Encoding");
    }

    /// <summary>Writes it as the answer to a forwarded request.</summary>
    public async Task WriteAsync(HttpContext host)
    {
        host.Response.StatusCode = status;
        foreach (var (name, value) in headers)
        {
            host.Response.Headers[name] = value;
        }

        if (body.IsEmpty)
        {
            return;
        }

        host.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(host.Request.Method))
        {
            await host.Response.Body.WriteAsync(body, host.RequestAborted);
        }
    }

    /// <summary>It as the value of an envelope's HTTP output.</summary>
    /// <exception cref="InvalidOperationException">The body is not text: an envelope cannot carry it.</exception>
    public object ToOutput()
    {
        try
        {
            // The host ignores status and headers of an answer without a body, so there is one even when it is empty.
            return new EnvelopedAnswer(
                status.ToString(CultureInfo.InvariantCulture),
                Utf8.GetString(body.Span),
                headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase));
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidOperationException("A function with further bindings can answer text only.", e);
        }
    }

    private sealed record EnvelopedAnswer(
        [property: JsonPropertyName("statusCode")] string StatusCode,
        [property: JsonPropertyName("body")] string Body,
        [property: JsonPropertyName("headers")] IReadOnlyDictionary<string, string> Headers);
}
