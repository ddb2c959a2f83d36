using Baton.Core.Api;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Timeline;

/// <summary><c>GET /api/timeline?last=100</c>: what happened, newest first.</summary>
internal sealed class TimelineRead(TimelineStore timeline)
{
    /// <summary>Answers the newest entries.</summary>
    [Function("TimelineRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "timeline")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var last = request.QueryInt32("last", byDefault: 100, min: 1, max: TimelineStore.MaxEntries);
        return Results.Json(await timeline.ReadAsync(last, cancellationToken), BatonJson.Options);
    }
}
