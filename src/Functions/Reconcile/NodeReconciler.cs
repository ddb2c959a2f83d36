using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Nodes;
using Baton.Functions.Settings;

namespace Baton.Functions.Reconcile;

/// <summary>What came of a node in a pass.</summary>
internal enum NodeOutcome
{
    /// <summary>It answered, and was told what it lacked.</summary>
    Answered,

    /// <summary>No connection, or no answer in time.</summary>
    Unreachable,

    /// <summary>It answered with an error, or is another node than was asked for.</summary>
    Refused,

    /// <summary>Somebody else tried it at the same time.</summary>
    Skipped,
}

/// <summary>What a pass did on one node.</summary>
/// <param name="NodeId">The node.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Told">How many channels it was told to lead.</param>
/// <param name="Calls">How many calls it got.</param>
/// <param name="DoneAt">When the pass was done with it (UTC).</param>
/// <param name="Problem">Why it does not follow the state, where it does not.</param>
internal sealed record NodeReconciled(string NodeId, NodeOutcome Outcome, int Told, int Calls, DateTimeOffset DoneAt, string? Problem = null);

/// <summary>
/// A pass on one node: a probe, a look at what it has said of itself, and at most one order with all that it lacks. Every call has a limit, and so have all together. A node that does not answer its probe is probed until its
/// circuit opens, so that the next passes need not try: one lost packet is not enough for that, and a dead node is paid for once.
/// </summary>
internal sealed class NodeReconciler(NodeClient nodes, HeartbeatStore heartbeats, CircuitStore circuits, ClusterOptions cluster, ReconcileOptions options, TimeProvider time, ILogger<NodeReconciler> logger)
{
    /// <summary>Probes that are refused at once are this far apart, or three of them would be one observation.</summary>
    private static readonly TimeSpan BetweenProbes = TimeSpan.FromMilliseconds(100);

    /// <summary>Goes through one node.</summary>
    /// <param name="state">The state by which the node is told. It may be old by the time of the call: the node then knows a higher term, or its log does.</param>
    /// <param name="nodeId">The node.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<NodeReconciled> RunAsync(ClusterState state, string nodeId, CancellationToken cancellationToken)
    {
        if (await circuits.TryBeginAsync(nodeId, time.GetUtcNow(), cancellationToken) is not { } circuit)
        {
            return new NodeReconciled(nodeId, NodeOutcome.Skipped, 0, 0, time.GetUtcNow());
        }

        var visit = new Visit(circuit);
        using var over = new CancellationTokenSource(options.NodeTimeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        var (outcome, told, problem) = (NodeOutcome.Answered, 0, default(string));
        try
        {
            (told, problem) = await VisitAsync(state, nodeId, visit, limit.Token);
            outcome = problem is null ? NodeOutcome.Answered : NodeOutcome.Refused;
        }
        catch (NodeCallException e)
        {
            (outcome, problem) = (e.Failure == NodeCallFailure.Refused ? NodeOutcome.Refused : NodeOutcome.Unreachable, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            visit.Fail(time.GetUtcNow());
            (outcome, problem) = (NodeOutcome.Unreachable, string.Create(CultureInfo.InvariantCulture, $"not done within {options.NodeTimeout.TotalMilliseconds:0} ms"));
        }

        if (problem is not null)
        {
            logger.LogWarning("Node {NodeId} does not follow the state: {Problem}", nodeId, problem);
        }

        // Whoever answered has closed its circuit; failures count one by one, in the order in which they were seen.
        await circuits.UpdateAsync(
            nodeId,
            c => visit.FailedAt.Count == 0 ? c.Succeeded() : visit.FailedAt.Aggregate(c, (next, at) => next.Failed(at)),
            cancellationToken);
        return new NodeReconciled(nodeId, outcome, told, visit.Calls, time.GetUtcNow(), problem);
    }

    private async Task<(int Told, string? Problem)> VisitAsync(ClusterState state, string nodeId, Visit visit, CancellationToken cancellationToken)
    {
        var endpoint = state.Nodes[nodeId].Endpoint;
        var identity = await ProbeAsync(endpoint, visit, cancellationToken);
        if (!string.Equals(identity.NodeId, nodeId, StringComparison.Ordinal) || !string.Equals(identity.ClusterId, cluster.Id, StringComparison.Ordinal))
        {
            // Told to open, a stranger would fence the leader that the state names.
            return (0, $"{endpoint} is node '{identity.NodeId}' of cluster '{identity.ClusterId}'");
        }

        // Of a node whose beat does not say what it holds it is taken that it holds nothing: to be told again of what it leads changes nothing.
        var held = await heartbeats.ReadBeatAsync(nodeId, cancellationToken);
        var lacking = Assignments.Lacking(state, nodeId, held?.Channels ?? []);
        if (lacking.Count > 0)
        {
            await CallAsync(
                visit,
                async () =>
                {
                    await nodes.OpenManyAsync(endpoint, new OpenChannelsRequest([.. lacking.Select(a => new ChannelAtTerm(a.Channel, a.Term))]), options.CallTimeout, cancellationToken);
                    return true;
                });
        }

        return (lacking.Count, null);
    }

    private async Task<NodeIdentity> ProbeAsync(Uri endpoint, Visit visit, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await CallAsync(visit, () => nodes.HealthAsync(endpoint, options.ProbeTimeout, cancellationToken));
            }
            catch (NodeCallException e) when (e.Failure != NodeCallFailure.Refused && visit.MayTryAgain)
            {
                await Task.Delay(BetweenProbes, time, cancellationToken);
            }
        }
    }

    private async Task<T> CallAsync<T>(Visit visit, Func<Task<T>> call)
    {
        visit.Calls++;
        try
        {
            return await call();
        }
        catch (NodeCallException e)
        {
            // An answer that says no is an answer, unless it is no node's.
            if (e.Failure != NodeCallFailure.Refused || e.Problem is null)
            {
                visit.Fail(time.GetUtcNow());
            }

            throw;
        }
    }

    /// <summary>The calls of one visit, and the circuit as they make it.</summary>
    private sealed class Visit(NodeCircuit circuit)
    {
        private NodeCircuit _circuit = circuit;

        public int Calls { get; set; }

        public List<DateTimeOffset> FailedAt { get; } = [];

        public bool MayTryAgain => _circuit.OpenedAt is null;

        public void Fail(DateTimeOffset at)
        {
            FailedAt.Add(at);
            _circuit = _circuit.Failed(at);
        }
    }
}
