using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Settings;

namespace Baton.Functions.Health;

/// <summary>What a probe is told.</summary>
internal sealed record HealthView(string Status, string ClusterId, ClusterRole Role);

/// <summary>Probes. Anonymous, so they say nothing but health and role.</summary>
internal sealed class HealthRead(ReplicateConfigurationStore configurations, ClusterOptions cluster, ILogger<HealthRead> logger)
{
    /// <summary>A probe waits no longer than this for storage: slow is as good as gone for whoever asks.</summary>
    private static readonly TimeSpan StorageTimeout = TimeSpan.FromSeconds(2);

    /// <summary><c>GET /api/health</c>: 200 while storage answers, else 503.</summary>
    [Function("HealthRead")]
    public async Task<IResult> RunAsync([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health")] HttpRequest request, CancellationToken cancellationToken) =>
        Results.Json(new HealthView("healthy", cluster.Id, await RoleAsync(cancellationToken)), BatonJson.Options);

    /// <summary><c>GET /api/health/primary</c>: 200 while this cluster takes writes, else 503: for load balancers.</summary>
    [Function("HealthPrimary")]
    public async Task<IResult> RunPrimaryAsync([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "health/primary")] HttpRequest request, CancellationToken cancellationToken)
    {
        var role = await RoleAsync(cancellationToken);
        return role == ClusterRole.Secondary
            ? throw new ApiException(ApiErrorCode.Unavailable, "This cluster is a secondary.") { RetryAfterSeconds = 1 }
            : Results.Json(new HealthView("healthy", cluster.Id, role), BatonJson.Options);
    }

    private async Task<ClusterRole> RoleAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StorageTimeout);
        try
        {
            return ReplicateRoles.RoleOf((await configurations.ReadAsync(limit.Token)).Meta.Configuration, cluster.Id);
        }
        catch (Exception e) when (e is Azure.RequestFailedException or OperationCanceledException or AggregateException && !cancellationToken.IsCancellationRequested)
        {
            logger.LogError("Storage does not answer a probe: {Reason}", e.Message);
            throw new ApiException(ApiErrorCode.Unavailable, "Storage does not answer.") { RetryAfterSeconds = 1 };
        }
    }
}
