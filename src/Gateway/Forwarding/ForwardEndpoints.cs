using Baton.Core.Api;
using Baton.Edge.Bodies;
using Microsoft.AspNetCore.Http.Features;

namespace Baton.Gateway.Forwarding;

/// <summary>The paths of the nodes that are for clients.</summary>
internal static class ForwardEndpoints
{
    public static void MapForwarding(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/channels/{channel}/messages", (string channel, HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel, isAppend: true));
        routes.MapGet("/channels/{channel}/messages", (string channel, HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel));
        routes.MapPost("/channels/{channel}/transactions/{id}/messages", (string channel, HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel, isAppend: true));

        // Beginning again leaves a transaction that nobody knows of, and that expires; ending again is answered as the first time.
        routes.MapPost("/channels/{channel}/transactions/{**rest}", (string channel, HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel));
        routes.MapGet("/metadata/{**rest}", (HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel: null));
        routes.MapPost("/metadata/commands", (HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel: null, isAppend: true));
        routes.MapPost("/metadata/{**rest}", (HttpContext context, Forwarder forwarder) => ForwardAsync(context, forwarder, channel: null));
    }

    private static async Task ForwardAsync(HttpContext context, Forwarder forwarder, string? channel, bool isAppend = false)
    {
        var request = context.Request;
        var body = context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true ? await RequestBody.ReadAsync(request) : ReadOnlyMemory<byte>.Empty;
        var isGet = HttpMethods.IsGet(request.Method);
        await forwarder.ForwardAsync(
            new ForwardedRequest(isGet ? HttpMethod.Get : HttpMethod.Post, channel, request.Path.ToUriComponent(), request.QueryString, new RepeatableBody(body, request.ContentType))
            {
                IsAppend = isAppend,
                ClientStamp = isAppend && request.Headers[BatonHeaders.Producer].ToString() is { Length: > 0 } stamp ? stamp : null,

                // Of what takes no stamp, nothing says whether it was done already.
                IsRepeatable = isGet || isAppend || channel is not null,
            },
            context.Response,
            context.RequestAborted);
    }
}
