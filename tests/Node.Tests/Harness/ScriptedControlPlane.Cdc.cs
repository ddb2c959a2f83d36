using System.Collections.Concurrent;
using Baton.Core.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Baton.Node.Tests.Harness;

/// <content>What it knows of change data capture: as a source, the tasks and what is reported of them; as a target, where its leaders are.</content>
internal sealed partial class ScriptedControlPlane
{
    /// <summary>What <c>GET /api/cdc-tasks</c> answers, with the version of <see cref="Replication"/> unless there is one here.</summary>
    public IReadOnlyList<CdcTaskView> CdcTasks { get; set; } = [];

    /// <summary>The version that it answers.</summary>
    public long? CdcTasksVersion { get; set; }

    /// <summary>How often it was asked.</summary>
    public int CdcTasksAsked;

    /// <summary>Reports taken, in the order they came.</summary>
    public ConcurrentQueue<(string Channel, string Target, CdcReport Report)> Reports { get; } = new();

    /// <summary>What reports are answered.</summary>
    public int ReportStatus { get; set; } = 200;

    /// <summary>Reports that were not taken.</summary>
    public int ReportsRefused;

    /// <summary>While false, other clusters are answered 503.</summary>
    public bool ShowsRoute { get; set; } = true;

    /// <summary>How often other clusters asked.</summary>
    public int RoutesAsked;

    // Asked without a function key, which other clusters do not have.
    private static bool IsForOtherClusters(HttpRequest request) => request.Path.StartsWithSegments("/api/replication", StringComparison.Ordinal);

    private static bool Bears(HttpRequest request) => request.Headers.Authorization == $"Bearer {TestNode.ControlSecret}";

    private void MapCdc(WebApplication app)
    {
        app.MapGet("/api/cdc-tasks", (HttpRequest request) =>
        {
            Interlocked.Increment(ref CdcTasksAsked);
            return Bears(request) ? Results.Json(new CdcTasksView(CdcTasksVersion ?? Replication?.Version ?? 0, CdcTasks), BatonJson.Options) : Results.StatusCode(401);
        });
        app.MapPost("/api/cdc-tasks/{channel}/{target}/report", async (string channel, string target, HttpRequest request) =>
        {
            var report = (await request.ReadFromJsonAsync<CdcReport>(BatonJson.Options))!;
            if (!Bears(request) || ReportStatus != 200)
            {
                Interlocked.Increment(ref ReportsRefused);
                return Results.StatusCode(Bears(request) ? ReportStatus : 401);
            }

            Reports.Enqueue((channel, target, report));
            return Results.Ok();
        });
        app.MapGet("/api/replication/route", (HttpRequest request) =>
        {
            Interlocked.Increment(ref RoutesAsked);
            return !Bears(request) ? Results.StatusCode(401) : ShowsRoute ? Results.Json(Route, BatonJson.Options) : Results.StatusCode(503);
        });
    }
}
