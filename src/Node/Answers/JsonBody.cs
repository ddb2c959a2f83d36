using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Node.Answers;

/// <summary>Reads a request's JSON within its limit, and says where it is wrong.</summary>
internal static class JsonBody
{
    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <exception cref="ApiException">413 above <see cref="RequestLimits.BodyBytes"/>; 400 when it is no JSON, or not of this shape.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request)
        where T : class
    {
        if (!request.HasJsonContentType())
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "this path takes a body of content type application/json");
        }

        var body = await ReadBytesAsync(request);
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

    private static async Task<ReadOnlyMemory<byte>> ReadBytesAsync(HttpRequest request)
    {
        // A body that is too large is read to its end all the same, and kept no more: a client that is still sending when the connection closes sees a
        // reset instead of the answer that tells it why. The server's own limit bounds this.
        var total = request.ContentLength ?? 0;
        using var buffer = new MemoryStream((int)Math.Min(total, RequestLimits.BodyBytes));
        var chunk = new byte[16 * 1024];
        int read;
        for (total = 0; (read = await request.Body.ReadAsync(chunk, request.HttpContext.RequestAborted)) > 0;)
        {
            total += read;
            if (total <= RequestLimits.BodyBytes)
            {
                buffer.Write(chunk, 0, read);
            }
        }

        return total <= RequestLimits.BodyBytes
            ? buffer.GetBuffer().AsMemory(0, (int)buffer.Length)
            : throw new ApiException(ApiErrorCode.PayloadTooLarge, $"the body is over {RequestLimits.BodyBytes} bytes");
    }
}
