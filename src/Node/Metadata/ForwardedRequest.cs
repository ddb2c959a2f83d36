using System.Globalization;
using Baton.Core.Api;
using Baton.Edge.Connections;

namespace Baton.Node.Metadata;

/// <summary>A request as this node sends it on to another, as often as need be.</summary>
/// <param name="Method">Its method.</param>
/// <param name="Target">Its path and query, escaped, from the slash on.</param>
/// <param name="Authorization">Its caller's own authority: the node that it goes to decides about it as about any other.</param>
/// <param name="ContentType">Of its body.</param>
/// <param name="Body">Its body.</param>
internal sealed record ForwardedRequest(HttpMethod Method, string Target, string Authorization, string? ContentType, ReadOnlyMemory<byte> Body)
{
    /// <summary>The client's stamp, or its gateway's.</summary>
    public string? Stamp { get; init; }

    /// <summary>Another node has sent it here: it goes no further.</summary>
    public bool WasForwarded { get; init; }

    /// <summary>The term of the route by which it came here; 0 = none.</summary>
    public long Term { get; init; }

    /// <summary>It is not a read.</summary>
    public bool ChangesSomething => Method != HttpMethod.Get;

    /// <summary>It changes something, and nothing would say whether it did when its answer is lost.</summary>
    public bool NeedsStamp => ChangesSomething && Stamp is null;

    /// <summary>A client's request.</summary>
    public static ForwardedRequest Of(HttpRequest request, ReadOnlyMemory<byte> body) => new(
        new HttpMethod(request.Method), request.Path.ToUriComponent() + request.QueryString.ToUriComponent(), request.Headers.Authorization.ToString(), request.ContentType, body)
    {
        Stamp = request.Headers[BatonHeaders.Producer].ToString() is { Length: > 0 } stamp ? stamp : null,
        WasForwarded = IsForwarded(request),
        Term = long.TryParse(request.Headers[BatonHeaders.Term], NumberStyles.None, CultureInfo.InvariantCulture, out var term) && ExactNumbers.IsPosition(term) ? term : 0,
    };

    /// <summary>Whether another node has sent it here.</summary>
    public static bool IsForwarded(HttpRequest request) => request.Headers.ContainsKey(BatonHeaders.Forwarded);

    /// <summary>The request to a leader.</summary>
    /// <param name="to">The leader.</param>
    /// <param name="nodeId">This node.</param>
    /// <param name="stamp">A stamp for one that has none.</param>
    public HttpRequestMessage To(LeaderHint to, string nodeId, string? stamp)
    {
        var message = new HttpRequestMessage(Method, new Uri(to.Endpoint.AsFolder(), $".{Target}"));
        message.Headers.TryAddWithoutValidation("Authorization", Authorization);
        message.Headers.TryAddWithoutValidation(BatonHeaders.Forwarded, nodeId);
        message.Headers.TryAddWithoutValidation(BatonHeaders.Term, to.Term.ToString(CultureInfo.InvariantCulture));
        if ((Stamp ?? stamp) is { } producer)
        {
            message.Headers.TryAddWithoutValidation(BatonHeaders.Producer, producer);
        }

        if (ChangesSomething)
        {
            message.Content = new ReadOnlyMemoryContent(Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        }

        return message;
    }
}

/// <summary>Another node's answer, as it came.</summary>
internal sealed class ForwardedAnswer(int status, string? contentType, string? retryAfter, byte[] body) : IResult
{
    /// <summary>Its status.</summary>
    public int Status => status;

    /// <summary>Its body.</summary>
    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Reads it to its end.</summary>
    public static async Task<ForwardedAnswer> ReadAsync(HttpResponseMessage response, CancellationToken ct) =>
        new((int)response.StatusCode, response.Content.Headers.ContentType?.ToString(), response.Headers.RetryAfter?.ToString(), await response.Content.ReadAsByteArrayAsync(ct));

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = status;
        httpContext.Response.ContentType = contentType;
        httpContext.Response.ContentLength = body.Length;
        if (retryAfter is not null)
        {
            httpContext.Response.Headers.RetryAfter = retryAfter;
        }

        await httpContext.Response.Body.WriteAsync(body, httpContext.RequestAborted);
    }
}
