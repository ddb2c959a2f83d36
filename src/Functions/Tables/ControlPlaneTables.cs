using Azure;
using Baton.Storage;
using Baton.Storage.Tables;

namespace Baton.Functions.Tables;

/// <summary>
/// The tables of the control plane. Creates them when the app starts, so that no later call has to ask whether one is there. A storage service that is away just then
/// must not end the app (the host gives up after three such ends): the start waits a moment for it and goes on trying beside the first calls.
/// </summary>
internal sealed class ControlPlaneTables(BatonStorage storage, ILogger<ControlPlaneTables> logger) : BackgroundService
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(10);

    /// <summary>The replicate configuration: one row.</summary>
    public TableClient ReplicateConfig { get; } = storage.Tables.GetTableClient("ReplicateConfig");

    /// <summary>Nodes, channels, leaders and terms: one row.</summary>
    public TableClient ClusterState { get; } = storage.Tables.GetTableClient("ClusterState");

    /// <summary>The same, every call sent once: for the fast path, which tries again at its own pace and must know what each attempt may have done.</summary>
    public TableClient ClusterStateOnce { get; } = storage.SingleAttemptTables.GetTableClient("ClusterState");

    /// <summary>Heartbeats: one row a node.</summary>
    public TableClient Nodes { get; } = storage.Tables.GetTableClient("Nodes");

    /// <summary>The same, every call sent once: a beat or a sweep that failed is followed by the next within a second, which is sooner than a client's own retry, and newer.</summary>
    public TableClient NodesOnce { get; } = storage.SingleAttemptTables.GetTableClient("Nodes");

    /// <summary>Operations: a head row each, and rows of its own partition for input, steps, notes and result.</summary>
    public TableClient Operations { get; } = storage.Tables.GetTableClient("Operations");

    /// <summary>Broadcast tasks, the id counter and the lock table.</summary>
    public TableClient BroadcastTasks { get; } = storage.Tables.GetTableClient("BroadcastTasks");

    /// <summary>CDC tasks: one row a channel and target cluster.</summary>
    public TableClient CdcTasks { get; } = storage.Tables.GetTableClient("CdcTasks");

    /// <summary>How the recovery of replicas stands: one row a channel.</summary>
    public TableClient Recovery { get; } = storage.Tables.GetTableClient("Recovery");

    /// <summary>What happened, newest first.</summary>
    public TableClient Timeline { get; } = storage.Tables.GetTableClient("Timeline");

    /// <inheritdoc/>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await base.StartAsync(cancellationToken);
        await Task.WhenAny(ExecuteTask!, Task.Delay(StartPatience, cancellationToken));
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        TableClient[] tables = [ReplicateConfig, ClusterState, Nodes, Operations, BroadcastTasks, CdcTasks, Recovery, Timeline];
        for (var delay = FirstRetry; ; delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry)
        {
            try
            {
                await Task.WhenAll(tables.Select(t => t.CreateIfNotExistsAsync(stoppingToken)));
                return;
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException && !stoppingToken.IsCancellationRequested)
            {
                logger.LogError("The control plane's tables cannot be created yet: {Reason}", e.GetBaseException().Message);
                await Task.Delay(delay, stoppingToken);
            }
        }
    }
}
