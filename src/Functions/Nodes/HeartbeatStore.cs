using Azure;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Nodes;

/// <summary>Table <c>Nodes</c>: when each node was last heard of, by this control plane's clock. One row a node, written without condition: only the newest beat matters.</summary>
internal sealed class HeartbeatStore(ControlPlaneTables tables, TimeProvider time)
{
    private const string Partition = "node";

    /// <summary>
    /// Keeps a beat, by a single attempt: one that is carried out late would stand over a newer one, and while the storage is slow its node gives up and beats again.
    /// </summary>
    public Task WriteAsync(string nodeId, IReadOnlyList<HeartbeatChannel> channels, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Partition, nodeId) { ["At"] = time.GetUtcNow() };
        try
        {
            LargeValue.Write(row, channels);
        }
        catch (LargeValueTooLongException)
        {
            // A node whose channels do not fit, even compressed, goes without this detail; its beat counts all the same.
        }

        return tables.NodesOnce.UpsertEntityAsync(row, TableUpdateMode.Replace, cancellationToken);
    }

    /// <summary>Forgets a node that has not beaten since <paramref name="before"/>. One that beats just now stays, or the sweep would not know of it until its next beat.</summary>
    public async Task ForgetAsync(string nodeId, DateTimeOffset before, CancellationToken cancellationToken)
    {
        var row = await tables.Nodes.GetEntityIfExistsAsync<TableEntity>(Partition, nodeId, select: ["PartitionKey", "RowKey", "At"], cancellationToken: cancellationToken);
        if (!row.HasValue || row.Value!.GetDateTimeOffset("At")!.Value >= before)
        {
            return;
        }

        try
        {
            await tables.Nodes.DeleteEntityAsync(Partition, nodeId, row.Value.ETag, cancellationToken);
        }
        catch (RequestFailedException e) when (ConditionalWrite.IsLostRace(e))
        {
            // It has beaten since.
        }
    }

    /// <summary>The last beat of every node, by id.</summary>
    public async Task<IReadOnlyDictionary<string, NodeBeat>> ReadBeatsAsync(CancellationToken cancellationToken)
    {
        var beats = new Dictionary<string, NodeBeat>(StringComparer.Ordinal);
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition}");
        await foreach (var row in tables.Nodes.QueryAsync<TableEntity>(filter, cancellationToken: cancellationToken))
        {
            beats[row.RowKey] = new NodeBeat(row.GetDateTimeOffset("At")!.Value, LargeValue.Read<IReadOnlyList<HeartbeatChannel>>(row) ?? []);
        }

        return beats;
    }

    /// <summary>The last beat of one node; null where there is none.</summary>
    public async Task<NodeBeat?> ReadBeatAsync(string nodeId, CancellationToken cancellationToken)
    {
        var row = await tables.Nodes.GetEntityIfExistsAsync<TableEntity>(Partition, nodeId, cancellationToken: cancellationToken);
        return row.HasValue ? new NodeBeat(row.Value!.GetDateTimeOffset("At")!.Value, LargeValue.Read<IReadOnlyList<HeartbeatChannel>>(row.Value!) ?? []) : null;
    }

    /// <summary>When one node was last heard of (UTC), by a single attempt; null where it never was.</summary>
    public async Task<DateTimeOffset?> ReadOnceAsync(string nodeId, CancellationToken cancellationToken)
    {
        var row = await tables.NodesOnce.GetEntityIfExistsAsync<TableEntity>(Partition, nodeId, select: ["PartitionKey", "RowKey", "At"], cancellationToken: cancellationToken);
        return row.HasValue ? row.Value!.GetDateTimeOffset("At") : null;
    }

    /// <summary>When every node was last heard of (UTC), by id.</summary>
    public Task<IReadOnlyDictionary<string, DateTimeOffset>> ReadAllAsync(CancellationToken cancellationToken) => ReadAllAsync(tables.Nodes, cancellationToken);

    /// <summary>The same by a single attempt, for one who comes again soon.</summary>
    public Task<IReadOnlyDictionary<string, DateTimeOffset>> ReadAllOnceAsync(CancellationToken cancellationToken) => ReadAllAsync(tables.NodesOnce, cancellationToken);

    private static async Task<IReadOnlyDictionary<string, DateTimeOffset>> ReadAllAsync(TableClient nodes, CancellationToken cancellationToken)
    {
        var beats = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition}");
        await foreach (var row in nodes.QueryAsync<TableEntity>(filter, select: ["PartitionKey", "RowKey", "At"], cancellationToken: cancellationToken))
        {
            beats[row.RowKey] = row.GetDateTimeOffset("At")!.Value;
        }

        return beats;
    }
}
