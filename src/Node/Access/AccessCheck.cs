using Baton.Core.Api;

namespace Baton.Node.Access;

/// <summary>Endpoint metadata: whom the endpoint is for.</summary>
internal sealed record RequiredCaller(Caller Caller);

/// <summary>Refuses a call before its body is read, so that nobody without the secret costs or changes anything.</summary>
internal static class AccessCheck
{
    /// <summary>The endpoints of <paramref name="builder"/> are for <paramref name="caller"/>, and for those who may pass for it.</summary>
    public static TBuilder Takes<TBuilder>(this TBuilder builder, Caller caller)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new RequiredCaller(caller));

    /// <summary>Who is calling, once the check has passed.</summary>
    public static Caller CallerOf(this HttpContext context) => context.Items[typeof(Caller)] is Caller caller ? caller : Caller.Anyone;

    /// <summary>Whether a caller may use what is for <paramref name="other"/>: everybody what is for anyone, the control plane everything, and each its own. There is no other order among them.</summary>
    public static bool MayPassFor(this Caller caller, Caller other) => other == Caller.Anyone || caller == Caller.Control || caller == other;

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
                var required = endpoint.Metadata.GetMetadata<RequiredCaller>()?.Caller ?? Caller.Control;
                if (!caller.MayPassFor(required))
                {
                    throw new ApiException(ApiErrorCode.Unauthorized, $"this path takes the cluster's {SecretOf(required)} secret as a bearer token");
                }

                context.Items[typeof(Caller)] = caller;
            }

            return next(context);
        });
    }

    private static string SecretOf(Caller caller) => caller switch
    {
        Caller.Client => "client",
        Caller.Replication => "replication",
        _ => "control",
    };
}
