using Baton.Core.Api;

namespace Baton.Node.Access;

/// <summary>Endpoint metadata: the least a caller must be.</summary>
internal sealed record RequiredCaller(Caller Least);

/// <summary>Refuses a call before its body is read, so that nobody without the secret costs or changes anything.</summary>
internal static class AccessCheck
{
    /// <summary>The endpoints of <paramref name="builder"/> take calls from <paramref name="least"/> and above.</summary>
    public static TBuilder Takes<TBuilder>(this TBuilder builder, Caller least)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new RequiredCaller(least));

    /// <summary>Who is calling, once the check has passed.</summary>
    public static Caller CallerOf(this HttpContext context) => context.Items[typeof(Caller)] is Caller caller ? caller : Caller.Anyone;

    /// <summary>Middleware; goes behind routing. An endpoint that forgot to say whom it takes, takes the control plane only.</summary>
    public static IApplicationBuilder UseAccessCheck(this IApplicationBuilder app)
    {
        var secrets = app.ApplicationServices.GetRequiredService<NodeSecrets>();
        return app.Use((context, next) =>
        {
            var endpoint = context.GetEndpoint();

            // Routing's own answers, such as 405, are no endpoints of this node and have no route.
            if (endpoint is RouteEndpoint)
            {
                var caller = secrets.Identify(context.Request.Headers.Authorization);
                var least = endpoint.Metadata.GetMetadata<RequiredCaller>()?.Least ?? Caller.Control;
                if (caller < least)
                {
                    throw new ApiException(ApiErrorCode.Unauthorized, least == Caller.Control
                        ? "this path takes the cluster's control secret as a bearer token"
                        : "this path takes the cluster's client secret as a bearer token");
                }

                context.Items[typeof(Caller)] = caller;
            }

            return next(context);
        });
    }
}
