using System.Globalization;
using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Channels;
using Baton.Node.Replicas;

namespace Baton.Node.Leadership;

/// <summary>
/// Header <c>X-Baton-Term</c>: the term of the route by which a request came here. One above what this node knows of the channel means that its <c>open</c> was lost
/// or is late, so it asks for its assignments at once, and lets a client's request wait for what comes of that, before its body is read: whoever sent it need not ask again and again. Then the request
/// is answered as any other: a header proves nothing.
/// </summary>
internal static class TermHeader
{
    /// <summary>Requests that may wait at once; each holds a connection and a few KiB.</summary>
    public const int MaxWaiting = 10_000;

    /// <summary>Middleware; goes behind routing and the access check, so that nobody without a secret makes this node ask or wait.</summary>
    public static IApplicationBuilder UseTermHeader(this IApplicationBuilder app)
    {
        var channels = app.ApplicationServices.GetRequiredService<ChannelTable>();
        var early = app.ApplicationServices.GetRequiredService<EarlyBeat>();
        var drain = app.ApplicationServices.GetRequiredService<Drain>();
        return app.Use(async (context, next) =>
        {
            if (context.Request.Headers.TryGetValue(BatonHeaders.Term, out var value) && context.GetRouteValue("channel") is string channel && Read(value) is var term && term > channels.TermSeen(channel))
            {
                if (term > channels.TermOrdered(channel))
                {
                    early.Ask();
                }

                if (MayWait(context))
                {
                    await WaitAsync(context, channels, drain, channel, term);
                }
            }

            await next(context);
        });
    }

    // A reader of this node's own copy does not care who leads; orders of the control plane come without a route.
    private static bool MayWait(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<RequiredCaller>()?.Caller == Caller.Client && !LocalReads.Asked(context.Request.Query);

    private static async Task WaitAsync(HttpContext context, ChannelTable channels, Drain drain, string channel, long term)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
        try
        {
            await channels.WaitForTermAsync(channel, term, either.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // A node that stops waits for its requests: this one is answered as things are.
        }
    }

    private static long Read(string? value) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var term) && ExactNumbers.IsPosition(term)
            ? term
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"header {BatonHeaders.Term} must be a term: a whole number, 1 or above and below 2^53");
}
