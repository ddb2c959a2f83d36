using System.Collections.Concurrent;
using System.Globalization;
using Baton.Edge.Metrics;

namespace Baton.Node.Status;

/// <summary>Requests by endpoint and answer. Labels are templates of routes, never paths, so that no caller can make series.</summary>
internal sealed class RequestMetrics
{
    private const string NoEndpoint = "none";
    private const int Abandoned = 0;
    private const int Codes = 600;

    private readonly ConcurrentDictionary<Endpoint, Route> _byEndpoint = new();
    private readonly ConcurrentDictionary<(string Template, string Method), Route> _routes = new();
    private readonly Route _none;
    private long _inProgress;

    public RequestMetrics() => _none = Named(NoEndpoint, NoEndpoint);

    /// <summary>A request has come.</summary>
    public void Started() => Interlocked.Increment(ref _inProgress);

    /// <summary>A request has its answer, or nobody waits for it any more.</summary>
    public void Ended(HttpContext context, TimeSpan elapsed)
    {
        Interlocked.Decrement(ref _inProgress);

        // Routing's own answers, such as 405, are endpoints without a route.
        var route = context.GetEndpoint() is RouteEndpoint endpoint ? _byEndpoint.GetOrAdd(endpoint, static (e, all) => all.Of((RouteEndpoint)e), this) : _none;
        route.Add(context.RequestAborted.IsCancellationRequested ? Abandoned : context.Response.StatusCode, elapsed);
    }

    public void PrintTo(MetricText text)
    {
        var routes = _routes.Values.OrderBy(r => r.Template, StringComparer.Ordinal).ThenBy(r => r.Method, StringComparer.Ordinal).ToArray();
        text.Family("baton_node_requests_total", "counter", "Requests by route, method and status of the answer; code \"abandoned\" where the caller went away first.");
        foreach (var route in routes)
        {
            foreach (var (code, count) in route.Counts())
            {
                text.Sample(count, ("route", route.Template), ("method", route.Method), ("code", code));
            }
        }

        text.Family("baton_node_request_seconds", "histogram", "From a request to its answer; reads that wait for a channel to grow wait as long as they asked for.");
        foreach (var route in routes)
        {
            route.Durations.PrintTo(text, ("route", route.Template), ("method", route.Method));
        }

        text.Family("baton_node_requests_in_progress", "gauge", "Requests without an answer yet, waiting readers among them.").Sample(Volatile.Read(ref _inProgress));
    }

    private Route Of(RouteEndpoint endpoint)
    {
        var template = "/" + (endpoint.RoutePattern.RawText ?? "").Trim('/');
        return Named(template, endpoint.Metadata.GetMetadata<HttpMethodMetadata>() is { HttpMethods: [var method, ..] } ? method : NoEndpoint);
    }

    private Route Named(string template, string method) => _routes.GetOrAdd((template, method), static key => new Route(key.Template, key.Method));

    private sealed class Route(string template, string method)
    {
        private readonly long[] _byCode = new long[Codes];

        public string Template { get; } = template;

        public string Method { get; } = method;

        public DurationHistogram Durations { get; } = DurationHistogram.OfCalls();

        public void Add(int code, TimeSpan elapsed)
        {
            Interlocked.Increment(ref _byCode[Math.Clamp(code, Abandoned, Codes - 1)]);
            Durations.Record(elapsed);
        }

        public IEnumerable<(string Code, long Count)> Counts()
        {
            for (var code = 0; code < Codes; code++)
            {
                if (Volatile.Read(ref _byCode[code]) is > 0 and var count)
                {
                    yield return (code == Abandoned ? "abandoned" : code.ToString(CultureInfo.InvariantCulture), count);
                }
            }
        }
    }
}

/// <summary>Counts every request, whatever becomes of it.</summary>
internal static class RequestCounting
{
    /// <summary>Middleware; goes outermost, so that it sees the answer that leaves.</summary>
    public static IApplicationBuilder UseRequestMetrics(this IApplicationBuilder app)
    {
        var metrics = app.ApplicationServices.GetRequiredService<NodeMetrics>();
        var time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        return app.Use(async (context, next) =>
        {
            var started = time.GetTimestamp();
            metrics.Requests.Started();
            try
            {
                await next(context);
            }
            finally
            {
                metrics.Requests.Ended(context, time.GetElapsedTime(started));
                if (context.Response.StatusCode == StatusCodes.Status429TooManyRequests && context.GetRouteValue("channel") is string channel)
                {
                    metrics.Overloaded(channel);
                }
            }
        });
    }
}
