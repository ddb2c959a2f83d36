using System.Buffers;
using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>
/// Takes in a body that nobody wants. A client that is still sending when the connection closes sees a reset and never the answer that tells it why; so
/// the rest is read and thrown away, within bounds.
/// </summary>
internal static class OversizeBody
{
    private const long MaxBytes = 1L << 30;
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(10);

    /// <summary>Reads the request's body to its end, or to the bounds.</summary>
    public static async Task DiscardAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxBytes;
        }

        var clock = Stopwatch.StartNew();
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (long total = 0; total < MaxBytes && clock.Elapsed < MaxTime;)
            {
                var read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted);
                if (read == 0)
                {
                    return;
                }

                total += read;
            }
        }
        catch (Exception e) when (e is IOException or BadHttpRequestException)
        {
            // The client gave up, or sends more than even this takes: the answer goes out all the same.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
