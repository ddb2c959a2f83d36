using System.Diagnostics.Metrics;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Settings;
using Baton.Functions.Tables;
using Baton.Functions.Timeline;

namespace Baton.Functions.Cdc;

/// <summary>
/// <c>POST /api/cdc-tasks/{channel}/{targetCluster}/report</c>: the leader of a source channel says that the target is none any more, or that it was promoted in this cluster's place. A report without answer is sent again.
/// <code>
/// step        writes                                        a crash leaves
/// Row         the task's row                                a superseded task in a cluster that does not know it yet: the report comes again, changes
///                                                           nothing in the row, and goes on here
/// Supersede   the configuration's row, first report only    a superseded cluster without timeline entry: written by the next report of any channel. Its time is that
/// Tell        the timeline, always the same entry           of the supersession, so it is one entry
/// </code>
/// The configuration is read before the row and written under the condition that it is the same. An operator who attaches this cluster again, or keeps it, replaces or ends the task, and then
/// writes the configuration: a report that comes late meets another task or an ended one, and one that is overtaken loses its write and begins again.
/// </summary>
internal sealed class CdcReportReceive(
    CdcTaskStore tasks,
    ReplicateConfigurationStore configurations,
    TimelineStore timeline,
    ReplicationOptions replication,
    ClusterOptions cluster,
    TimeProvider time,
    ILogger<CdcReportReceive> logger)
{
    private const int MaxBodyBytes = 512 * 1024;

    private static readonly Meter Meter = new("Baton.Cdc");
    private static readonly Counter<long> Supersessions = Meter.CreateCounter<long>("baton_superseded_total", description: "Times that this cluster learnt that another was promoted in its place.");

    /// <summary>Takes the report.</summary>
    [Function("CdcReport")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "cdc-tasks/{channel}/{targetCluster}/report")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var (channel, target) = (request.RouteId("channel"), request.RouteId("targetCluster"));
        var report = await RequestBody.ReadAsync<CdcReport>(request, MaxBodyBytes, cancellationToken);
        var (task, superseded) = await ConditionalWrite.RunAsync($"the task of channel {channel} and cluster {target}", ct => TakeAsync(channel, target, report, ct), cancellationToken);
        if (superseded is not null)
        {
            await timeline.AddAsync(
                new TimelineEntry(
                    $"{TimelineKinds.Superseded}-{superseded.By}-{superseded.BroadcastId}",
                    TimelineKinds.Superseded,
                    superseded.At,
                    $"Cluster {superseded.By} was promoted in place of this one. Nothing more is sent to it"
                    + $"{(superseded.RefusesWrites ? ", and clients' writes are refused," : ", and clients' writes go on,")} until an operator attaches this cluster again or keeps it. What only this cluster has: GET /api/salvage."),
                cancellationToken);
        }

        return Results.Json(task.ToView(), BatonJson.Options);
    }

    private async Task<(CdcTask Task, Supersession? Superseded)> TakeAsync(string channel, string target, CdcReport report, CancellationToken cancellationToken)
    {
        var configuration = await configurations.ReadAsync(cancellationToken);
        var stored = await tasks.ReadAsync(channel, target, cancellationToken)
            ?? throw new ApiException(ApiErrorCode.NotFound, $"There is no task of channel {channel} and cluster {target}.");
        if (CdcTaskRules.Check(stored.Task, cluster.Id, report) is { } wrong)
        {
            throw wrong.ToException();
        }

        var task = CdcTaskRules.Report(stored.Task, report);
        if (!ReferenceEquals(task, stored.Task))
        {
            await tasks.ReplaceAsync(stored, task, cancellationToken);
        }

        if (task.State != stored.Task.State)
        {
            logger.LogInformation("The CDC task of channel {Channel} to cluster {Target} (broadcast {BroadcastId}) is {State} now", channel, target, task.BroadcastId, task.State);
        }

        return (task, task.State == CdcTaskState.Superseded && report.Departure is { } departure ? await SupersedeAsync(configuration, departure, cancellationToken) : null);
    }

    private async Task<Supersession?> SupersedeAsync(StoredConfiguration configuration, ReplicateDeparture departure, CancellationToken cancellationToken)
    {
        // Several targets may have left, one after the other: the first is what the operator has to deal with, and the others show in their tasks.
        if (configuration.Superseded is { } known)
        {
            return known;
        }

        // No longer a target by the configuration in force: its superseded tasks are about to be ended.
        if (!CdcTaskRules.HasEdge(configuration.Meta.Configuration, cluster.Id, departure.By))
        {
            return null;
        }

        var superseded = new Supersession(departure.By, departure.BroadcastId, time.GetUtcNow(), replication.RefuseWritesWhenSuperseded);
        await configurations.SupersedeAsync(configuration, superseded, cancellationToken);
        Supersessions.Add(1);
        logger.LogWarning(
            "Cluster {By} was promoted in place of this one (broadcast {BroadcastId}); clients' writes are refused: {RefusesWrites}",
            superseded.By, superseded.BroadcastId, superseded.RefusesWrites);
        return superseded;
    }
}
