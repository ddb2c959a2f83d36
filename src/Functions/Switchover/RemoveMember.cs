using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>A node that leads nothing any more.</summary>
internal sealed record MemberToRemove(string OperationId, string NodeId);

/// <summary>What became of it.</summary>
/// <param name="Refused">Why it is a member still.</param>
internal sealed record MemberRemoved(ApiError? Refused = null);

/// <summary>
/// Activity, step 5 of a removal: one conditional write ends the membership, if the node leads nothing. Done again, it changes nothing. The node is told in the answer to its next
/// heartbeat; one that never asks again needs not be told.
/// </summary>
internal sealed class RemoveMember(OperationStore operations, ClusterStateStore states, TimeProvider time, ILogger<RemoveMember> logger)
{
    /// <summary>Removes it.</summary>
    [Function(nameof(RemoveMember))]
    public async Task<MemberRemoved> RunAsync([ActivityTrigger] MemberToRemove member, CancellationToken cancellationToken)
    {
        await operations.RecordStepAsync(member.OperationId, SwitchoverSteps.Remove, nameof(SwitchoverSteps.Remove), null, cancellationToken);
        SwitchoverResult result = null!;
        await states.UpdateAsync(
            s =>
            {
                result = Rules.Remove(s, member.NodeId, time.GetUtcNow());
                return result.State;
            },
            cancellationToken);
        if (result.Changed)
        {
            logger.LogInformation("Node {NodeId} is removed ({OperationId})", member.NodeId, member.OperationId);
        }

        return new MemberRemoved(result.Error);
    }
}
