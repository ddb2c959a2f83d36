using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Baton.Core.Cluster;
using Baton.Durable;
using Baton.Functions.Operations;
using Baton.Functions.Tables;
using Baton.Functions.Topology;
using Baton.Storage.Tables;

namespace Baton.Functions.Rebalance;

/// <summary>
/// Asks for a rebalance once a change of the members is older than the delay and every copy has come in sync, which is what a new node's channels need to be led by it. It looks at a state that a sweep has read anyway; while the members
/// stay the same, that is all it costs.
/// <para>
/// Members are nodes in their incarnations: a node that joins changes them, one that fails does not until it joins again or is removed. Each change is looked at once, and that is kept: what an operator has moved since, or did not want to
/// move, stays as it is, also when this process starts anew. A crash after the request and before that is kept: it is asked for again, and finds nothing to move.
/// </para>
/// </summary>
internal sealed class RebalanceWatch(ControlPlaneTables tables, OperationStarter starter, PlacementOptions placement, TimeProvider time)
{
    private const string Row = "members";
    private const string SeenProperty = "Seen";

    // A copy that does not come in sync at all must not keep the others from their places.
    private const int LongestWaitInDelays = 10;

    private string? _members;
    private DateTimeOffset _since;
    private bool _isDone;

    /// <summary>Looks, and asks if it is time.</summary>
    public async Task LookAsync(DurableTaskClient client, ClusterState state, CancellationToken cancellationToken)
    {
        if (!placement.AutoRebalance)
        {
            return;
        }

        var (members, now) = (MembersOf(state), time.GetUtcNow());
        if (members != _members)
        {
            (_members, _since, _isDone) = (members, now, false);
        }

        if (_isDone || now - _since < placement.RebalanceDelay || (!IsSettled(state) && now - _since < LongestWaitInDelays * placement.RebalanceDelay))
        {
            return;
        }

        if (await ReadSeenAsync(cancellationToken) != members)
        {
            if (!RebalancePlanner.Plan(state, placement.LeaderPolicy).IsEmpty)
            {
                await RebalanceStart.RequestAsync(client, starter, cancellationToken);
            }

            await tables.Operations.UpsertEntityAsync(new TableEntity(RebalanceCancellation.OperationId, Row) { [SeenProperty] = members }, TableUpdateMode.Replace, cancellationToken);
        }

        _isDone = true;
    }

    private static string MembersOf(ClusterState state)
    {
        var members = state.Nodes.Where(n => n.Value.RemovedAt is null).OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => string.Create(CultureInfo.InvariantCulture, $"{n.Key} {n.Value.Incarnation}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', members))));
    }

    private static bool IsSettled(ClusterState state) => state.Channels.Values.All(c =>
        c.Leader is null || c.Replicas.All(r => r.State == ReplicaProgress.InSync || state.Nodes.GetValueOrDefault(r.NodeId) is not { IsCandidate: true }));

    private async Task<string?> ReadSeenAsync(CancellationToken cancellationToken)
    {
        var row = await tables.Operations.GetEntityIfExistsAsync<TableEntity>(RebalanceCancellation.OperationId, Row, cancellationToken: cancellationToken);
        return row.HasValue ? row.Value!.GetString(SeenProperty) : null;
    }
}
