using Baton.Core.Api;
using Baton.Core.ForcedPromotion;
using Baton.Core.Operations;
using Baton.Core.Replication;
using Baton.Durable;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Requests;
using Baton.Functions.Settings;
using Baton.Functions.Topology;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>
/// <c>PUT /api/replicate-configuration</c>. Checks at once, then starts the operation (or joins the one that does the same) and waits for its end. Nothing is
/// written before every check has passed; the operation checks again under the cluster lock, since the role may change in between.
/// <para>
/// A force update goes on in <see cref="ForcedPromotionOrchestration"/>, a normal one in <see cref="AlterReplicateConfigurationOrchestration"/>.
/// </para>
/// </summary>
internal sealed class ReplicateConfigurationUpdate(
    ReplicateConfigurationStore configurations,
    ClusterStateStore states,
    OperationStore operations,
    OperationStarter starter,
    OperationWait waiting,
    ForceUpdateOptions forceUpdate,
    ClusterOptions cluster,
    TimeProvider time,
    ILogger<ReplicateConfigurationUpdate> logger)
{
    private const int MaxBodyBytes = 1024 * 1024;

    /// <summary>Updates the configuration.</summary>
    [Function("ReplicateConfigurationUpdate")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Admin, "put", Route = "replicate-configuration")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var update = await RequestBody.ReadAsync<UpdateReplicateConfigurationRequest>(request, MaxBodyBytes, cancellationToken);
        if (update.WaitMs is < 0 or > RequestValues.MaxWaitMs)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"'waitMs' must be from 0 to {RequestValues.MaxWaitMs}.");
        }

        var stored = await configurations.ReadAsync(cancellationToken);
        update = update with { Configuration = ReplicateTokens.Kept(update.Configuration, stored.Meta.Configuration) };
        var unchanged = update.ForceUpdate
            ? IsForceUnchanged(update.Configuration, stored.Meta)
            : await IsUnchangedAsync(update.Configuration, stored.Meta, cancellationToken);
        var operation = unchanged
            ? await AuthorAsync(stored, cancellationToken)
            : update.DryRun ? null : await StartAsync(client, update.Configuration!, update.ForceUpdate, stored.Meta);
        if (operation is null || (unchanged && !operation.Running))
        {
            var outcome = unchanged ? UpdateOutcome.Unchanged : UpdateOutcome.Validated;
            return Results.Json(new UpdateReplicateConfigurationResponse(outcome, stored.ToView(cluster.Id), OperationId: operation?.Id), BatonJson.Options);
        }

        var head = await waiting.WaitAsync(operation.Id, TimeSpan.FromMilliseconds(update.WaitMs), cancellationToken);
        return await AnswerAsync(request, head, cancellationToken);
    }

    private bool IsForceUnchanged(Configuration? configuration, ReplicateConfigurationMeta meta)
    {
        var decision = ForceUpdateCheck.Check(configuration, meta, cluster.Id, forceUpdate.Enabled);
        if (decision is ForceUpdateDecision.Refused(var error))
        {
            logger.LogWarning("A force update is refused: {Reason} (forceUpdate=true)", error.Detail);
            PromotionMetrics.Count("refused");
            throw error.ToException();
        }

        return decision is ForceUpdateDecision.Unchanged;
    }

    private async Task<bool> IsUnchangedAsync(Configuration? configuration, ReplicateConfigurationMeta meta, CancellationToken cancellationToken)
    {
        if (configuration is not null && ReplicateEquality.Same(configuration, meta.Configuration))
        {
            return true;
        }

        return ReplicateConfigurationValidator.Validate(configuration, meta.Configuration, cluster.Id, await ChannelsAsync(cancellationToken)) is { } error
            ? throw error.ToException()
            : false;
    }

    // Who put in force what this request asks for. While that promotion is still at work, this is a second request for it and gets the same
    // answer as the first; afterwards it is a repeat, and unchanged. A broadcast that brought it is nobody's request: its operation has no result.
    private async Task<OperationHead?> AuthorAsync(StoredConfiguration stored, CancellationToken cancellationToken) =>
        stored.ChangeId is { } id && await operations.ReadHeadAsync(id, cancellationToken) is { Kind: ForcedPromotionOrchestration.Name } head ? head : null;

    // No cancellation token: once the checks have passed, the caller's disconnect changes nothing.
    private async Task<OperationHead> StartAsync(DurableTaskClient client, Configuration configuration, bool force, ReplicateConfigurationMeta meta)
    {
        var now = time.GetUtcNow();
        if (force)
        {
            var id = PromotionOperationId.For(configuration, meta);
            var input = new PromotionInput(id, configuration, now);
            return await starter.RequestAsync(client, id, ForcedPromotionOrchestration.Name, input, OperationStarter.UnlessSucceeded, CancellationToken.None);
        }
        else
        {
            var id = AlterOperationId.For(configuration, meta);
            var input = new AlterInput(id, configuration, OfSecondary: ReplicateRoles.RoleOf(meta.Configuration, cluster.Id) == ClusterRole.Secondary);
            return await starter.RequestAsync(client, id, AlterReplicateConfigurationOrchestration.Name, input, OperationStarter.UnlessSucceeded, CancellationToken.None);
        }
    }

    private async Task<IResult> AnswerAsync(HttpRequest request, OperationHead head, CancellationToken cancellationToken)
    {
        switch (head.Status)
        {
            case OperationStatus.Running:
                var statusUrl = new Uri($"{request.Scheme}://{request.Host}/api/operations/{head.Id}");
                return Results.Json(new OperationAccepted(head.Id, statusUrl), BatonJson.Options, statusCode: StatusCodes.Status202Accepted);
            case OperationStatus.Succeeded:
                var result = await operations.ReadResultAsync<UpdateResult>(head.Id, cancellationToken) ?? throw new InvalidDataException($"Operation {head.Id} succeeded without a result.");
                var inForce = await configurations.ReadAsync(cancellationToken);
                return Results.Json(new UpdateReplicateConfigurationResponse(result.Outcome, inForce.ToView(cluster.Id), result.Promotion, head.Id), BatonJson.Options);
            default:
                throw (head.Error ?? new ApiError(ApiErrorCode.Conflict, $"Operation {head.Id} was ended by an operator.")).ToException();
        }
    }

    private async Task<IReadOnlyCollection<string>> ChannelsAsync(CancellationToken cancellationToken) =>
        [.. (await states.ReadAsync(cancellationToken)).State.PChannels.Select(c => c.Key)];
}
