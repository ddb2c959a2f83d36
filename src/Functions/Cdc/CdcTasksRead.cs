using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Requests;
using Baton.Functions.Settings;
using Baton.Functions.Topology;

namespace Baton.Functions.Cdc;

/// <summary>
/// <c>GET /api/cdc-tasks?state=…</c>: the tasks of the configuration in force, for operators and for nodes. A node shows the cluster's secret and gets the targets' tokens; nobody else sees them.
/// </summary>
internal sealed class CdcTasksRead(CdcTaskStore tasks, ReplicateConfigurationStore configurations, ClusterStateStore states, HeartbeatStore heartbeats, ClusterOptions cluster)
{
    /// <summary>Answers the tasks.</summary>
    [Function("CdcTasksRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "cdc-tasks")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var state = StateOf(request);
        var others = (Beats: heartbeats.ReadBeatsAsync(cancellationToken), State: states.ReadAsync(cancellationToken));

        // The configuration first: what is written behind this read has a higher version, and whoever waits for that asks again.
        var version = (await configurations.ReadStandingAsync(cancellationToken)).Version;
        var rows = await tasks.ListAsync(cancellationToken);
        var (beats, present) = (await others.Beats, (await others.State).State);
        var withTokens = request.HasBearer(cluster.Secret);
        return Results.Json(
            new CdcTasksView(version, [.. rows.Select(r => r.Task).Where(t => t.Version <= version && (state is null || t.State == state)).Select(t => t.ToView(withTokens, ProgressOf(t, present, beats)))]),
            BatonJson.Options);
    }

    private static CdcTaskState? StateOf(HttpRequest request)
    {
        var text = request.Query["state"].ToString();
        return text.Length == 0 ? null
            : Enum.TryParse<CdcTaskState>(text, ignoreCase: true, out var state) && Enum.IsDefined(state) && !char.IsAsciiDigit(text[0]) ? state
            : throw new ApiException(ApiErrorCode.InvalidArgument, "'state' must be running, superseded or ended.");
    }

    // By the present leader alone: what a former one said may be older than what the present one did.
    private static CdcProgress? ProgressOf(CdcTask task, ClusterState state, IReadOnlyDictionary<string, NodeBeat> beats) =>
        state.Channels.GetValueOrDefault(task.Channel) is { Leader: { } leader } channel && beats.GetValueOrDefault(leader) is { } beat
            ? beat.Channels
                .FirstOrDefault(c => string.Equals(c.Name, task.Channel, StringComparison.Ordinal) && string.Equals(c.Role, Assignments.Leader, StringComparison.Ordinal) && c.Term == channel.Term)?.Cdc?
                .FirstOrDefault(p => string.Equals(p?.TargetCluster, task.TargetCluster, StringComparison.Ordinal))
            : null;
}

/// <summary><c>GET /api/salvage</c>: the records that only this cluster has since another was promoted in its place.</summary>
internal sealed class SalvageRead(CdcTaskStore tasks, ReplicateConfigurationStore configurations)
{
    /// <summary>Answers them. While this cluster is superseded, channels that nobody has looked at yet are listed too, as such.</summary>
    [Function("SalvageRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "salvage")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var standing = await configurations.ReadStandingAsync(cancellationToken);
        var rows = await tasks.ListAsync(cancellationToken);
        var listed = rows.Select(r => r.Task).Where(t => t.Version <= standing.Version && (t.Departure is not null || (t.State == CdcTaskState.Running && t.TargetCluster == standing.Superseded?.By)));
        return Results.Json(new SalvageView(standing.Superseded, [.. listed.Select(t => new ChannelSalvage(t.Channel, t.TargetCluster, t.Departure?.From.Lsn, t.Salvage))]), BatonJson.Options);
    }
}

/// <summary>Tasks as the API shows them.</summary>
internal static class CdcTaskViews
{
    /// <summary>The view of a task.</summary>
    public static CdcTaskView ToView(this CdcTask task, bool withToken = false, CdcProgress? progress = null) => new(
        task.Channel,
        task.TargetCluster,
        task.TargetChannel,
        task.Uri,
        withToken ? task.Token : null,
        task.BroadcastId,
        task.StartLsn,
        task.ConfigLsn,
        task.State,
        task.CreatedAt,
        task.Departure,
        task.Salvage,
        progress);
}
