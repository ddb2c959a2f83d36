using System.Globalization;
using Azure;
using Baton.Core.Cluster;
using Baton.Functions.Settings;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Topology;

/// <summary>The cluster state as it is stored.</summary>
/// <param name="State">The state.</param>
/// <param name="ETag">The row's version; default before the first write.</param>
internal sealed record StoredClusterState(ClusterState State, ETag ETag);

/// <summary>Table <c>ClusterState</c>: one row, one conditional write a change. Whoever the row names leads: it is the verdict, everything else follows it.</summary>
internal sealed class ClusterStateStore(ControlPlaneTables tables, ClusterOptions cluster)
{
    private const string Partition = "state";
    private const string VersionProperty = "Version";

    private Action<ClusterState> _written = _ => { };

    /// <summary>From now on tells <paramref name="listener"/> of every state that this process writes, as soon as it is written.</summary>
    public void WhenWritten(Action<ClusterState> listener) => _written += listener;

    /// <summary>The state; an empty one before the first node joins.</summary>
    public Task<StoredClusterState> ReadAsync(CancellationToken cancellationToken) => ReadAsync(tables.ClusterState, cancellationToken);

    /// <summary>The same by a single attempt, for one who tries again at a pace of its own.</summary>
    public Task<StoredClusterState> ReadOnceAsync(CancellationToken cancellationToken) => ReadAsync(tables.ClusterStateOnce, cancellationToken);

    /// <summary>The state's version alone, by a single attempt: what a waiting watcher reads again and again.</summary>
    public async Task<long> ReadVersionOnceAsync(CancellationToken cancellationToken)
    {
        var row = await tables.ClusterStateOnce.GetEntityIfExistsAsync<TableEntity>(Partition, cluster.Id, select: [VersionProperty], cancellationToken: cancellationToken);
        return row.HasValue ? row.Value!.GetInt64(VersionProperty) ?? 0 : 0;
    }

    /// <summary>
    /// Writes <paramref name="next"/> if nobody has written since <paramref name="read"/>, by a single attempt. After a <see cref="StorageFault"/> it may have been written all the same: read
    /// before deciding again.
    /// </summary>
    /// <exception cref="RequestFailedException">409 or 412: somebody has (<see cref="ConditionalWrite.IsLostRace"/>).</exception>
    public Task WriteOnceAsync(StoredClusterState read, ClusterState next, CancellationToken cancellationToken) => WriteAsync(tables.ClusterStateOnce, read, next, cancellationToken);

    /// <summary>Applies a pure rule until its write wins. A rule that answers the same state (or null) writes nothing.</summary>
    /// <returns>The state that is in force afterwards.</returns>
    public Task<ClusterState> UpdateAsync(Func<ClusterState, ClusterState?> rule, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            "the cluster's state",
            async ct =>
            {
                var read = await ReadAsync(ct);
                var next = rule(read.State);
                if (next is null || ReferenceEquals(next, read.State))
                {
                    return read.State;
                }

                await WriteAsync(tables.ClusterState, read, next, ct);
                return next;
            },
            cancellationToken);

    private async Task<StoredClusterState> ReadAsync(TableClient table, CancellationToken cancellationToken)
    {
        var row = await table.GetEntityIfExistsAsync<TableEntity>(Partition, cluster.Id, cancellationToken: cancellationToken);
        return row.HasValue
            ? new StoredClusterState(row.Value!.GetRequired<ClusterState>(), row.Value!.ETag)
            : new StoredClusterState(ClusterState.Empty(cluster.Id), default);
    }

    private async Task WriteAsync(TableClient table, StoredClusterState read, ClusterState next, CancellationToken cancellationToken)
    {
        if (next.Version <= read.State.Version)
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"The state's version must rise at every write; it is {next.Version} after {read.State.Version}."),
                nameof(next));
        }

        var row = new TableEntity(Partition, cluster.Id) { [VersionProperty] = next.Version };
        row.SetValue(next);
        await (read.ETag == default
            ? table.AddEntityAsync(row, cancellationToken)
            : table.UpdateEntityAsync(row, read.ETag, TableUpdateMode.Replace, cancellationToken));
        _written(next);
    }
}
