using Baton.Core.Api;
using Baton.Edge.Metrics;
using Baton.Gateway.Access;
using Baton.Gateway.Forwarding;
using Baton.Gateway.Producers;
using Baton.Gateway.Routing;
using Baton.Gateway.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Status;

/// <summary>What a gateway says of itself.</summary>
/// <param name="Status">ok while it has a route, else noRoute.</param>
/// <param name="GatewayId">Who it is.</param>
/// <param name="RouteVersion">The version of its route; -1 while it has none.</param>
/// <param name="Channels">How many channels that has.</param>
/// <param name="Held">How many requests it holds.</param>
internal sealed record GatewayHealth(string Status, string GatewayId, long RouteVersion, int Channels, int Held);

/// <summary>Looking at a gateway changes nothing.</summary>
internal static class StatusEndpoints
{
    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health", Health).TakesAnyone();
        routes.MapGet("/metrics", Metrics).TakesAnyone();
    }

    /// <summary>Middleware; goes outermost, so that it sees the answer that leaves. Looking at the gateway is not counted.</summary>
    public static IApplicationBuilder UseRequestMetrics(this IApplicationBuilder app)
    {
        var metrics = app.ApplicationServices.GetRequiredService<GatewayMetrics>();
        var time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        return app.Use(async (context, next) =>
        {
            var began = time.GetTimestamp();
            try
            {
                await next(context);
            }
            finally
            {
                if (context.GetEndpoint()?.Metadata.GetMetadata<ClientAccess.Anyone>() is null)
                {
                    metrics.Ended(context.RequestAborted.IsCancellationRequested ? 0 : context.Response.StatusCode, time.GetElapsedTime(began));
                }
            }
        });
    }

    private static IResult Health(IOptions<GatewaySettings> settings, RouteTable routes, HeldRequests held)
    {
        var known = routes.Version >= 0;
        return Results.Json(
            new GatewayHealth(known ? "ok" : "noRoute", settings.Value.Id, routes.Version, routes.Channels, held.Now),
            BatonJson.Options,
            statusCode: known ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private static IResult Metrics(GatewayMetrics metrics, RouteTable routes, HeldRequests held, LaneTable lanes, TimeProvider time) =>
        Results.Text(metrics.Print(routes, held, lanes, time.GetUtcNow()), MetricText.MediaType);
}
