using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;

namespace Baton.DevHost.Clusters;

/// <summary>An answer of the HTTP API, read but not judged: what a test or a demonstration looks at.</summary>
/// <typeparam name="T">The body of a success.</typeparam>
/// <param name="Status">The HTTP status.</param>
/// <param name="Body">The body of a success.</param>
/// <param name="Problem">The body of an error.</param>
/// <param name="Text">The body as it came.</param>
public sealed record ApiAnswer<T>(int Status, T? Body, Problem? Problem, string Text)
    where T : class
{
    /// <summary>The body of a success.</summary>
    /// <exception cref="ApiAnswerException">It was none.</exception>
    public T Value => Status is >= 200 and < 300 && Body is not null ? Body : throw new ApiAnswerException($"HTTP {Status}: {Problem?.Detail ?? Text}", Status);

    internal static async Task<ApiAnswer<T>> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        var status = (int)response.StatusCode;
        if (!response.IsSuccessStatusCode)
        {
            return new ApiAnswer<T>(status, null, Is(response.Content.Headers.ContentType, Problem.MediaType) ? JsonSerializer.Deserialize<Problem>(text, BatonJson.Options) : null, text);
        }

        return new ApiAnswer<T>(status, text.Length > 0 ? JsonSerializer.Deserialize<T>(text, BatonJson.Options) : null, null, text);
    }

    private static bool Is(MediaTypeHeaderValue? type, string mediaType) => string.Equals(type?.MediaType, mediaType, StringComparison.OrdinalIgnoreCase);
}

/// <summary>A request that had to succeed did not.</summary>
public sealed class ApiAnswerException(string message, int status) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;
}
