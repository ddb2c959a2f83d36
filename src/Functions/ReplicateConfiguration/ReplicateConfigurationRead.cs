using Baton.Core.Api;
using Baton.Functions.Hosting;
using Baton.Functions.Settings;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary><c>GET /api/replicate-configuration</c>.</summary>
internal sealed class ReplicateConfigurationRead(ReplicateConfigurationStore configurations, ClusterOptions cluster)
{
    /// <summary>Answers what is in force.</summary>
    [Function("ReplicateConfigurationRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "replicate-configuration")] HttpRequest request,
        CancellationToken cancellationToken) =>
        Results.Json((await configurations.ReadAsync(cancellationToken)).ToView(cluster.Id), BatonJson.Options);
}
