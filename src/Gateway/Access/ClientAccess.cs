using Baton.Core.Api;
using Baton.Edge.Access;
using Baton.Gateway.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Gateway.Access;

/// <summary>The client secret opens this door as it opens the nodes'. Refuses a call before its body is read.</summary>
internal static class ClientAccess
{
    /// <summary>Anyone may call the endpoints of <paramref name="builder"/>.</summary>
    public static TBuilder TakesAnyone<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(Anyone.Instance);

    /// <summary>Middleware; goes behind routing. An endpoint that does not say that it takes anyone takes clients.</summary>
    public static IApplicationBuilder UseClientAccess(this IApplicationBuilder app)
    {
        var secret = new BearerSecret(app.ApplicationServices.GetRequiredService<IOptions<ClusterSettings>>().Value.ClientSecret);
        return app.Use((context, next) =>
        {
            // Routing's own answers, such as 405, are no endpoints of the gateway and have no route.
            if (context.GetEndpoint() is RouteEndpoint endpoint
                && endpoint.Metadata.GetMetadata<Anyone>() is null
                && !secret.Is(BearerSecret.DigestOf(context.Request.Headers.Authorization)))
            {
                throw new ApiException(ApiErrorCode.Unauthorized, "this path takes the cluster's client secret as a bearer token");
            }

            return next(context);
        });
    }

    internal sealed class Anyone
    {
        public static readonly Anyone Instance = new();
    }
}
