using Baton.Storage;
using Baton.Storage.Tables;

namespace Baton.Functions.Tables;

/// <summary>The tables of the control plane. Creates them when the app starts, so that no later call has to ask whether one is there.</summary>
internal sealed class ControlPlaneTables(BatonStorage storage) : IHostedService
{
    /// <summary>The replicate configuration: one row.</summary>
    public TableClient ReplicateConfig { get; } = storage.Tables.GetTableClient("ReplicateConfig");

    /// <summary>Nodes, channels, leaders and terms: one row.</summary>
    public TableClient ClusterState { get; } = storage.Tables.GetTableClient("ClusterState");

    /// <summary>Heartbeats: one row a node.</summary>
    public TableClient Nodes { get; } = storage.Tables.GetTableClient("Nodes");

    /// <summary>Operations: a head row each, and rows of its own partition for input, steps, notes and result.</summary>
    public TableClient Operations { get; } = storage.Tables.GetTableClient("Operations");

    /// <summary>Broadcast tasks, the id counter and the lock table.</summary>
    public TableClient BroadcastTasks { get; } = storage.Tables.GetTableClient("BroadcastTasks");

    /// <summary>What happened, newest first.</summary>
    public TableClient Timeline { get; } = storage.Tables.GetTableClient("Timeline");

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        TableClient[] tables = [ReplicateConfig, ClusterState, Nodes, Operations, BroadcastTasks, Timeline];
        return Task.WhenAll(tables.Select(t => t.CreateIfNotExistsAsync(cancellationToken)));
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
