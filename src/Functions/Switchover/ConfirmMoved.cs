using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.Topology;

namespace Baton.Functions.Switchover;

/// <summary>How far the new leaders are.</summary>
/// <param name="Pending">How many channels are not served yet by the node that is to.</param>
/// <param name="Waiting">Some of them, for operators.</param>
/// <param name="Superseded">Some of the channels that have been given to another node since: by a failover, which wins.</param>
internal sealed record Confirmation(int Pending, string Waiting, string Superseded);

/// <summary>Activity, step 3: looks whether each new leader has said in a heartbeat that it leads. Reads, and writes nothing but the step.</summary>
internal sealed class ConfirmMoved(OperationStore operations, ClusterStateStore states, HeartbeatStore heartbeats)
{
    /// <summary>How long a new leader may take. It opens within milliseconds as a rule; one that reads a long log first still comes in time.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Looks once.</summary>
    [Function(nameof(ConfirmMoved))]
    public async Task<Confirmation> RunAsync([ActivityTrigger] SwitchoverRound round, CancellationToken cancellationToken)
    {
        var plan = await operations.ReadPlanAsync(round, cancellationToken) ?? throw new InvalidOperationException($"Operation {round.OperationId} has no plan.");
        var state = (await states.ReadAsync(cancellationToken)).State;
        var beats = await heartbeats.ReadBeatsAsync(cancellationToken);
        var leads = beats.ToDictionary(b => b.Key, b => b.Value.Channels.Where(c => c.Role == Assignments.Leader).GroupBy(c => c.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Max(c => c.Term), StringComparer.Ordinal), StringComparer.Ordinal);
        var inForce = plan.Moves.ToLookup(m => state.Channels.TryGetValue(m.Channel, out var c) && c.Leader == m.To && c.Term >= m.Term);
        var pending = inForce[true].Where(m => leads.GetValueOrDefault(m.To!)?.GetValueOrDefault(m.Channel) is not { } term || term < m.Term).ToList();
        var confirmation = new Confirmation(
            pending.Count,
            StepText.List([.. pending.Select(m => $"{m.Channel} on {m.To} at term {m.Term}")]),
            StepText.List([.. inForce[false].Select(m => $"{m.Channel} is led by {state.Channels.GetValueOrDefault(m.Channel)?.Leader ?? "nobody"} now")]));
        var detail = pending.Count == 0 ? $"{inForce[true].Count()} of {plan.Moves.Count} channels" : $"waiting for {confirmation.Waiting}";
        await operations.RecordStepAsync(round.OperationId, SwitchoverSteps.Confirm, nameof(SwitchoverSteps.Confirm), detail, cancellationToken);
        return confirmation;
    }

    /// <summary>The error of one that waited in vain.</summary>
    public static ApiError Unconfirmed(Confirmation confirmation) =>
        new(ApiErrorCode.Unavailable, $"The state names the new leaders, but within {Limit.TotalSeconds:0} s they have not said that they lead: {confirmation.Waiting}.");
}
