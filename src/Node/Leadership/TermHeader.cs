using System.Globalization;
using Baton.Core.Api;
using Baton.Node.Channels;

namespace Baton.Node.Leadership;

/// <summary>
/// Header <c>X-Baton-Term</c>: the term of the route by which a request came here. One above what this node knows of the channel means that its <c>open</c> was lost
/// or is late, so it asks for its assignments at once. The request itself is answered as any other: a header proves nothing.
/// </summary>
internal static class TermHeader
{
    /// <summary>Middleware; goes behind routing and the access check, so that nobody without a secret makes this node ask.</summary>
    public static IApplicationBuilder UseTermHeader(this IApplicationBuilder app)
    {
        var channels = app.ApplicationServices.GetRequiredService<ChannelTable>();
        var early = app.ApplicationServices.GetRequiredService<EarlyBeat>();
        return app.Use((context, next) =>
        {
            if (context.Request.Headers.TryGetValue(BatonHeaders.Term, out var value) && context.GetRouteValue("channel") is string channel && Read(value) > channels.TermSeen(channel))
            {
                early.Ask();
            }

            return next(context);
        });
    }

    private static long Read(string? value) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var term) && ExactNumbers.IsPosition(term)
            ? term
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"header {BatonHeaders.Term} must be a term: a whole number, 1 or above and below 2^53");
}
