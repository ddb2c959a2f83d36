using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Operations;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>A removal that is given up puts its node back: one that drains for ever would be given nothing, and nobody would know why.</summary>
internal sealed class RemovalGivenUp(OperationStore operations, ClusterStateStore states) : IGivenUp
{
    /// <inheritdoc/>
    public string Kind => NodeRemovalOrchestration.Name;

    /// <inheritdoc/>
    public async Task<string?> TakeBackAsync(string operationId, CancellationToken cancellationToken)
    {
        var removal = (await operations.ReadInputAsync(operationId, cancellationToken)).Deserialize<RemovalInput>(BatonJson.Options)!;
        var state = await states.UpdateAsync(s => Rules.Undrain(s, removal.NodeId).State, cancellationToken);
        return state.Nodes.GetValueOrDefault(removal.NodeId) is { RemovedAt: null } ? $"Node {removal.NodeId} is a member as before; what has moved stays where it is." : null;
    }
}
