using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Functions.Hosting;

/// <summary>Reads a request's JSON body within a limit.</summary>
public static class RequestBody
{
    /// <summary>The body as <typeparamref name="T"/>.</summary>
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">The most bytes it may have; nothing beyond them is read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ApiException">
    /// <see cref="ApiErrorCode.PayloadTooLarge"/> above the limit; <see cref="ApiErrorCode.InvalidArgument"/>, naming the place, when the body
    /// is absent, is not JSON, or does not fit <typeparamref name="T"/>.
    /// </exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, int maxBytes, CancellationToken cancellationToken = default)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxBytes);

        if (request.ContentLength > maxBytes)
        {
            throw TooLarge(maxBytes);
        }

        var body = await ReadBytesAsync(request.Body, maxBytes, cancellationToken);
        if (body.Length == 0)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "The request needs a JSON body.");
        }

        try
        {
            return JsonSerializer.Deserialize<T>(body.Span, BatonJson.RequestOptions)
                ?? throw new ApiException(ApiErrorCode.InvalidArgument, "The body must be a JSON object, not null.");
        }
        catch (JsonException e)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, Describe(e));
        }
    }

    // The serializer's own message names .NET types, so only its place is taken over.
    private static string Describe(JsonException e)
    {
        var place = $"{e.Path ?? "$"} (line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1})";
        return e.InnerException is JsonException
            ? $"The body is not valid JSON: see {place}."
            : $"The body does not fit this request: an unknown or repeated field, or an unfit value, at {place}.";
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBytesAsync(Stream body, int maxBytes, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        var chunk = new byte[Math.Min(maxBytes, 16 * 1024)];
        int read;
        while ((read = await body.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (bytes.Length + read > maxBytes)
            {
                throw TooLarge(maxBytes);
            }

            bytes.Write(chunk, 0, read);
        }

        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }

    private static ApiException TooLarge(int maxBytes) =>
        new(ApiErrorCode.PayloadTooLarge, $"The body is above the limit of {maxBytes} bytes.");
}
