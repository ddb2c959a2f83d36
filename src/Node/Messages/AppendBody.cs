using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Frames;
using Baton.Core.Wal;
using Baton.Edge.Bodies;
using Baton.Node.Access;
using Baton.Node.Answers;
using Microsoft.Net.Http.Headers;

namespace Baton.Node.Messages;

/// <summary>Reads an append in either of its two forms, JSON or binary frames; what it says is the same.</summary>
internal static class AppendBody
{
    /// <summary>The append, with the stamp of the header <c>X-Baton-Producer</c> where its body has none. Its payloads may be slices of the request's buffer, and last until the request has been answered.</summary>
    /// <exception cref="ApiException">400 where it is neither form, or not well formed; 413 where it is too large; 429 where the node has no room for it.</exception>
    public static async Task<AppendRequest> ReadAsync(HttpRequest request)
    {
        // Before the body: what is wrong in a header is said without taking the body in.
        var stamp = ProducerHeader.Read(request);
        var append = await ReadBodyAsync(request);
        return append.Producer is null && stamp is not null ? append with { Producer = stamp } : append;
    }

    /// <summary>The same of a body that has been read.</summary>
    /// <exception cref="ApiException">400 where it is neither form, or not well formed.</exception>
    public static AppendRequest Parse(HttpRequest request, ReadOnlyMemory<byte> body)
    {
        var stamp = ProducerHeader.Read(request);
        var append = ParseBody(request, body);
        return append.Producer is null && stamp is not null ? append with { Producer = stamp } : append;
    }

    private static async Task<AppendRequest> ReadBodyAsync(HttpRequest request)
    {
        CheckForm(request);
        return ParseBody(request, await RequestBody.ReadAsync(request, urgent: request.HttpContext.CallerOf() == Caller.Control));
    }

    // Before the body is read.
    private static void CheckForm(HttpRequest request)
    {
        if (!IsFrames(request.ContentType) && !request.HasJsonContentType())
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"this path takes a body of content type application/json or {AppendFrames.MediaType}");
        }
    }

    private static AppendRequest ParseBody(HttpRequest request, ReadOnlyMemory<byte> body)
    {
        CheckForm(request);
        if (!IsFrames(request.ContentType))
        {
            return JsonBody.Parse<AppendRequest>(body.Span);
        }

        try
        {
            return AppendFrames.Decode(body, ChannelLimits.Default.MaxMessages);
        }
        catch (WalFormatException e)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"the body is not the {AppendFrames.MediaType} that this path takes: {e.Message}");
        }
    }

    private static bool IsFrames(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type) && type.MediaType.Equals(AppendFrames.MediaType, StringComparison.OrdinalIgnoreCase);
}
