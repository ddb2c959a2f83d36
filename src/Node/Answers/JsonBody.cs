using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Node.Answers;

/// <summary>Reads a request's JSON within its limit and the node's, and says where it is wrong.</summary>
internal static class JsonBody
{
    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <exception cref="ApiException">413 above <see cref="RequestLimits.BodyBytes"/>; 400 when it is no JSON, or not of this shape; 429 where the node has no room for it.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request)
        where T : class
    {
        if (!request.HasJsonContentType())
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "this path takes a body of content type application/json");
        }

        var body = await RequestBody.ReadAsync(request);
        try
        {
            return JsonSerializer.Deserialize<T>(body.Span, BatonJson.RequestOptions)
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
}
