using System.Globalization;
using Baton.Edge.Metrics;
using Baton.Gateway.Forwarding;
using Baton.Gateway.Producers;
using Baton.Gateway.Routing;

namespace Baton.Gateway.Status;

/// <summary>The numbers of a gateway: docs/metrics.md. No value of a label comes from a client.</summary>
internal sealed class GatewayMetrics
{
    private const string Abandoned = "abandoned";
    private const int Codes = 600;

    private readonly long[] _byCode = new long[Codes];
    private readonly DurationHistogram _requests = DurationHistogram.OfCalls();
    private readonly DurationHistogram _held = DurationHistogram.OfCalls();
    private readonly LabelledCounts<RetryReason> _retries = new();
    private readonly LabelledCounts<string> _reports = new();
    private readonly LabelledCounts<string> _polls = new();

    /// <summary>A request has its answer; code 0 where its client has gone.</summary>
    public void Ended(int code, TimeSpan elapsed)
    {
        Interlocked.Increment(ref _byCode[Math.Clamp(code, 0, Codes - 1)]);
        _requests.Record(elapsed);
    }

    /// <summary>A request that was held has an answer.</summary>
    public void Held(TimeSpan elapsed) => _held.Record(elapsed);

    /// <summary>An attempt brought no answer to pass on.</summary>
    public void Retried(RetryReason reason) => _retries.Add(reason);

    /// <summary>What became of a report: sent, failed, dropped.</summary>
    public void Reported(string outcome) => _reports.Add(outcome);

    /// <summary>What a poll for the route brought: changed, unchanged, older, failed.</summary>
    public void Polled(string outcome) => _polls.Add(outcome);

    /// <summary>Prometheus text, format 0.0.4.</summary>
    public string Print(RouteTable routes, HeldRequests held, LaneTable lanes, DateTimeOffset now)
    {
        var text = new MetricText();
        text.Family("baton_gateway_requests_total", "counter", "Requests by status of the answer; code \"abandoned\" where the client went away first.");
        for (var code = 0; code < Codes; code++)
        {
            if (Volatile.Read(ref _byCode[code]) is > 0 and var count)
            {
                text.Sample(count, ("code", code == 0 ? Abandoned : code.ToString(CultureInfo.InvariantCulture)));
            }
        }

        text.Family("baton_gateway_request_seconds", "histogram", "From a request to its answer; reads that wait for a channel to grow wait as long as they asked for.");
        _requests.PrintTo(text);
        text.Family("baton_gateway_held_seconds", "histogram", "From a request that was held to its answer.");
        _held.PrintTo(text);
        text.Family("baton_gateway_held_requests", "gauge", "Requests that are held now.").Sample(held.Now);
        Counts(text, "baton_gateway_retries_total", "Attempts that brought no answer to pass on, by reason.", "reason", _retries.Read().Select(r => (r.Labels.Label(), r.Value)));
        Counts(text, "baton_gateway_reports_total", "Reports of nodes that cannot be reached, by outcome.", "outcome", _reports.Read());
        Counts(text, "baton_gateway_route_polls_total", "Polls for the route, by outcome.", "outcome", _polls.Read());
        text.Family("baton_gateway_route_version", "gauge", "Version of the route that requests go by; -1 while none is known.").Sample(routes.Version);
        text.Family("baton_gateway_route_channels", "gauge", "Channels of that route.").Sample(routes.Channels);
        text.Family("baton_gateway_producers", "gauge", "Producers that this gateway has made for appends, of all channels.").Sample(lanes.Made);
        ProcessMetrics.PrintTo(text, now);
        return text.ToString();
    }

    private static void Counts(MetricText text, string name, string help, string label, IEnumerable<(string Of, long Value)> counts)
    {
        text.Family(name, "counter", help);
        foreach (var (of, value) in counts.OrderBy(c => c.Of, StringComparer.Ordinal))
        {
            text.Sample(value, (label, of));
        }
    }
}
