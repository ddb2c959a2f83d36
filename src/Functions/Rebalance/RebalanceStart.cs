using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Switchover;
using Baton.Functions.Topology;

namespace Baton.Functions.Rebalance;

/// <summary>
/// <c>POST /api/rebalance</c>: evens out copies and leaderships (<see cref="RebalanceOrchestration"/>), or says with <c>dryRun</c> what would move. There is one at a time: asked for while it runs, it is the same.
/// </summary>
internal sealed class RebalanceStart(ClusterStateStore states, OperationStarter starter, PlacementOptions placement)
{
    private const int MaxBodyBytes = 16 * 1024;

    /// <summary>Starts it, joins it, or answers the plan.</summary>
    [Function("RebalanceStart")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "rebalance")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync<RebalanceRequest>(request, MaxBodyBytes, cancellationToken);
        if (body.DryRun)
        {
            return Results.Json(View((await states.ReadAsync(cancellationToken)).State), BatonJson.Options);
        }

        // From here on the caller's disconnect changes nothing.
        return Accepted.Of(request, await RequestAsync(client, starter, CancellationToken.None));
    }

    /// <summary>Asks for the one operation.</summary>
    public static Task<OperationHead> RequestAsync(DurableTaskClient client, OperationStarter starter, CancellationToken cancellationToken) => starter.RequestAsync(
        client, RebalanceCancellation.OperationId, RebalanceOrchestration.Name, new RebalanceInput(RebalanceCancellation.OperationId), OperationStarter.Always, cancellationToken);

    private RebalanceView View(ClusterState state)
    {
        var plan = RebalancePlanner.Plan(state, placement.LeaderPolicy);
        var (leads, leadsAfter) = (RebalancePlanner.Leads(state), RebalancePlanner.Leads(plan.After));
        var (copies, copiesAfter) = (RebalancePlanner.Copies(state), RebalancePlanner.Copies(plan.After));
        return new RebalanceView(
            new RebalanceMoves(plan.Leaders, plan.Replicas),
            [.. leads.Keys.Select(n => new NodeBalance(n, new BeforeAndAfter(leads[n], leadsAfter[n]), new BeforeAndAfter(copies[n], copiesAfter[n])))]);
    }
}

/// <summary><c>DELETE /api/rebalance</c>: cancels the one that runs. It begins nothing more, takes its marks back, and ends as failed; what has moved stays where it is.</summary>
internal sealed class RebalanceCancel(RebalanceCancellation run)
{
    /// <summary>Asks it to end.</summary>
    [Function("RebalanceCancel")]
    public async Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Function, "delete", Route = "rebalance")] HttpRequest request, CancellationToken cancellationToken) =>
        await run.CancelAsync(cancellationToken) is { } head
            ? Accepted.Of(request, head)
            : throw new ApiException(ApiErrorCode.NotFound, "No rebalance is running.");
}
