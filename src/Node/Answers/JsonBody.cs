using System.Text.Json;
using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Node.Access;

namespace Baton.Node.Answers;

/// <summary>Reads a request's JSON within its limit and the node's, and says where it is wrong.</summary>
internal static class JsonBody
{
    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <param name="request">The request.</param>
    /// <param name="maxObjects">JSON objects that the body may have.</param>
    /// <exception cref="ApiException">413 above <see cref="BodyLimits.BodyBytes"/>; 400 when it is no JSON, or not of this shape; 429 where the node has no room for it.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, int maxObjects = RequestLimits.Objects)
        where T : class
    {
        if (!request.HasJsonContentType())
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "this path takes a body of content type application/json");
        }

        return Parse<T>((await RequestBody.ReadAsync(request, urgent: request.HttpContext.CallerOf() == Caller.Control)).Span, maxObjects);
    }

    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <param name="body">The bytes.</param>
    /// <param name="maxObjects">JSON objects that it may have.</param>
    /// <exception cref="ApiException">400 when it is no JSON, not of this shape, or of more than <paramref name="maxObjects"/> objects.</exception>
    public static T Parse<T>(ReadOnlySpan<byte> body, int maxObjects = RequestLimits.Objects)
        where T : class
    {
        try
        {
            CheckObjects(body, maxObjects);
            return JsonSerializer.Deserialize<T>(body, BatonJson.RequestOptions)
                ?? throw new ApiException(ApiErrorCode.InvalidArgument, "the body must be a JSON object, not null");
        }
        catch (JsonException e)
        {
            // The exception's own text names types of this process.
            throw new ApiException(
                ApiErrorCode.InvalidArgument,
                $"the body is not the JSON that this path takes: look at {(string.IsNullOrEmpty(e.Path) ? "$" : e.Path)}, line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1}");
        }
    }

    // An object takes three bytes in a body and some twenty times that in memory, which no budget of bodies counts. Few bodies have so many braces, be it in texts, that the objects are counted.
    private static void CheckObjects(ReadOnlySpan<byte> body, int maxObjects)
    {
        if (body.Count((byte)'{') <= maxObjects)
        {
            return;
        }

        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = BatonJson.RequestOptions.MaxDepth });
        for (var objects = 0; reader.Read();)
        {
            if (reader.TokenType == JsonTokenType.StartObject && ++objects > maxObjects)
            {
                throw new ApiException(ApiErrorCode.InvalidArgument, $"the body has more than {maxObjects} JSON objects, more than any request needs");
            }
        }
    }
}
