using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Settings;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>Activity: keeps the result of an update that is in force. The first result stays.</summary>
internal sealed class KeepAlterResult(OperationStore operations)
{
    /// <summary>Keeps it.</summary>
    [Function(nameof(KeepAlterResult))]
    public Task RunAsync([ActivityTrigger] AlterInput input, CancellationToken cancellationToken) =>
        operations.KeepResultAsync(input.OperationId, new UpdateResult(UpdateOutcome.Applied), cancellationToken);
}

/// <summary>Whether the configuration that a secondary waits for is there.</summary>
/// <param name="Arrived">It is.</param>
/// <param name="Overtaken">It will not come: why.</param>
internal sealed record ArrivalState(bool Arrived, ApiError? Overtaken = null);

/// <summary>Activity: looks whether the configuration that a secondary was asked for has arrived by replication.</summary>
internal sealed class CheckArrival(ReplicateConfigurationStore configurations, OperationStore operations, ClusterOptions cluster)
{
    /// <summary>Looks once.</summary>
    [Function(nameof(CheckArrival))]
    public async Task<ArrivalState> RunAsync([ActivityTrigger] AlterInput input, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(input.OperationId, 2, "WaitForArrival", null, cancellationToken);
        var meta = (await configurations.ReadAsync(cancellationToken)).Meta;
        if (ReplicateEquality.Same(input.Configuration, meta.Configuration))
        {
            return new ArrivalState(Arrived: true);
        }

        return ReplicateRoles.RoleOf(meta.Configuration, cluster.Id) == ClusterRole.Secondary
            ? new ArrivalState(Arrived: false)
            : new ArrivalState(Arrived: false, Overtaken(meta));
    }

    /// <summary>Why an update that was asked of a secondary comes to nothing once <paramref name="meta"/> has made the cluster primary.</summary>
    public static ApiError Overtaken(ReplicateConfigurationMeta meta) => ApiError.Conflict(meta.ForceUpdated
        ? "A forced promotion overtook this update: the cluster is primary now, and nothing arrives from its former primary any more."
        : $"Another configuration (version {meta.Version}) overtook this update: the cluster is no secondary any more.");
}
