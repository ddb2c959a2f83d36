using Azure;
using Baton.Core.Cluster;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Nodes;

/// <summary>
/// Table <c>Nodes</c>, partition <c>circuit</c>: a row for each node that calls have failed on lately, read by every instance of this app. A closed circuit without failures has no row, so a healthy
/// cluster costs one query that finds nothing. Failovers never look here.
/// </summary>
internal sealed class CircuitStore(ControlPlaneTables tables)
{
    private const string Partition = "circuit";

    /// <summary>Every circuit that is not closed and clean, by node id.</summary>
    public async Task<IReadOnlyDictionary<string, NodeCircuit>> ReadAllAsync(CancellationToken cancellationToken)
    {
        var circuits = new Dictionary<string, NodeCircuit>(StringComparer.Ordinal);
        await foreach (var row in tables.Nodes.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {Partition}"), cancellationToken: cancellationToken))
        {
            circuits[row.RowKey] = row.GetRequired<NodeCircuit>();
        }

        return circuits;
    }

    /// <summary>Applies a rule to a node's circuit until its write wins. A rule that answers the same circuit writes nothing.</summary>
    /// <returns>The circuit afterwards.</returns>
    public Task<NodeCircuit> UpdateAsync(string nodeId, Func<NodeCircuit, NodeCircuit> rule, CancellationToken cancellationToken) => ConditionalWrite.RunAsync(
        $"the circuit of node {nodeId}",
        async ct =>
        {
            var (circuit, etag) = await ReadAsync(nodeId, ct);
            var next = rule(circuit);
            if (!ReferenceEquals(next, circuit))
            {
                await WriteAsync(nodeId, next, etag, ct);
            }

            return next;
        },
        cancellationToken);

    /// <summary>
    /// The node's circuit if a call to it may be begun now, else null. The one call of a half-open circuit is given to one asker: the write that says so lets one win, and who loses is told no.
    /// </summary>
    public async Task<NodeCircuit?> TryBeginAsync(string nodeId, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (circuit, etag) = await ReadAsync(nodeId, cancellationToken);
        if (!circuit.Allows(now))
        {
            return null;
        }

        var tried = circuit.Tried(now);
        if (ReferenceEquals(tried, circuit))
        {
            return circuit;
        }

        try
        {
            await WriteAsync(nodeId, tried, etag, cancellationToken);
            return tried;
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            return null;
        }
    }

    private async Task<(NodeCircuit Circuit, ETag ETag)> ReadAsync(string nodeId, CancellationToken cancellationToken)
    {
        var row = await tables.Nodes.GetEntityIfExistsAsync<TableEntity>(Partition, nodeId, cancellationToken: cancellationToken);
        return row.HasValue ? (row.Value!.GetRequired<NodeCircuit>(), row.Value!.ETag) : (NodeCircuit.Closed, default);
    }

    private Task<Response> WriteAsync(string nodeId, NodeCircuit circuit, ETag etag, CancellationToken cancellationToken)
    {
        if (circuit is { OpenedAt: null, Failures.Count: 0 })
        {
            return tables.Nodes.DeleteEntityAsync(Partition, nodeId, etag, cancellationToken);
        }

        var row = new TableEntity(Partition, nodeId);
        row.SetValue(circuit);
        return etag == default
            ? tables.Nodes.AddEntityAsync(row, cancellationToken)
            : tables.Nodes.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken);
    }
}
