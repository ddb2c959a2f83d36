using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Settings;
using Baton.Functions.Tables;

namespace Baton.Functions.Cdc;

/// <summary>
/// <c>DELETE /api/cdc-tasks/{targetCluster}</c>: gives up the tasks of a target that is gone for good. A configuration has dropped it, but it will never confirm that. Writes the rows, then raises the version of the
/// configuration, at which nodes ask for their tasks again; a crash between leaves nodes that go on trying until the same request comes again.
/// </summary>
internal sealed class CdcTasksGiveUp(CdcTaskStore tasks, ReplicateConfigurationStore configurations, ClusterOptions cluster, ILogger<CdcTasksGiveUp> logger)
{
    /// <summary>Gives them up.</summary>
    [Function("CdcTasksGiveUp")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Admin, "delete", Route = "cdc-tasks/{targetCluster}")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var target = request.RouteId("targetCluster");
        var ended = 0;
        await ConditionalWrite.RunAsync(
            $"the tasks of cluster {target}",
            async ct =>
            {
                // The rows first: a configuration that makes this a target again changes them before itself, so that one of the two reads, or a write, meets it.
                var rows = await tasks.ListAsync(ct);
                var configuration = await configurations.ReadAsync(ct);
                if (CdcTaskRules.HasEdge(configuration.Meta.Configuration, cluster.Id, target))
                {
                    throw new ApiException(ApiErrorCode.Conflict, $"The configuration in force replicates to cluster {target}: send one without it first.");
                }

                var known = rows.Where(r => r.Task.TargetCluster == target && r.Task.Version <= configuration.Meta.Version).ToList();
                CdcTask[] over = [.. known.Where(r => r.Task.State != CdcTaskState.Ended).Select(r => r.Task with { State = CdcTaskState.Ended })];
                await tasks.WriteAsync(rows, over, ct);
                ended += over.Length;
                if (known.Count > 0)
                {
                    await configurations.RaiseAsync(configuration.ChangeId, configuration, configuration, ct);
                }

                return true;
            },
            cancellationToken);

        logger.LogWarning("An operator gave up {Tasks} CDC tasks to cluster {Target}", ended, target);
        return Results.Json(new CdcTasksGivenUp(ended), BatonJson.Options);
    }
}
