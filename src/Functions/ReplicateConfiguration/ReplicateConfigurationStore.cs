using Azure;
using Baton.Core.Replication;
using Baton.Functions.Settings;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.ReplicateConfiguration;

/// <summary>The replicate configuration as it is stored.</summary>
/// <param name="Meta">Configuration, version and forced flag.</param>
/// <param name="ChangeId">The operation that wrote it: one that finds its own id has written already.</param>
/// <param name="ArrivedFrom">Source cluster of the newest configuration that came by replication.</param>
/// <param name="ArrivedBroadcastId">Its broadcast.</param>
/// <param name="OwnBroadcastId">Broadcast of the newest change that this cluster itself made. Its ids ascend under the cluster lock, so one at or below it is a repeat, however late.</param>
/// <param name="ETag">The row's version.</param>
internal sealed record StoredConfiguration(ReplicateConfigurationMeta Meta, string? ChangeId, string? ArrivedFrom, long? ArrivedBroadcastId, long? OwnBroadcastId, ETag ETag);

/// <summary>Table <c>ReplicateConfig</c>: one row, one conditional write a change.</summary>
internal sealed class ReplicateConfigurationStore(ControlPlaneTables tables, ClusterOptions cluster)
{
    private const string Partition = "meta";

    /// <summary>What is in force.</summary>
    public async Task<StoredConfiguration> ReadAsync(CancellationToken cancellationToken)
    {
        var row = await tables.ReplicateConfig.GetEntityIfExistsAsync<TableEntity>(Partition, cluster.Id, cancellationToken: cancellationToken);
        return row.HasValue
            ? new StoredConfiguration(
                row.Value!.GetRequired<ReplicateConfigurationMeta>(),
                row.Value!.GetString("ChangeId"),
                row.Value!.GetString("ArrivedFrom"),
                row.Value!.GetInt64("ArrivedBroadcastId"),
                row.Value!.GetInt64("OwnBroadcastId"),
                row.Value!.ETag)
            : new StoredConfiguration(ReplicateConfigurationMeta.Empty, null, null, null, null, default);
    }

    /// <summary>
    /// Applies a change once: a repeat finds its own <paramref name="changeId"/> and writes nothing. A repeat that comes after somebody else's
    /// change finds another id: no lock keeps out a process that slept, so the rule must refuse it, by the broadcast ids in the row.
    /// </summary>
    /// <param name="changeId">The operation.</param>
    /// <param name="rule">The row after the change, its version raised by one; null to leave it as it is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What is in force afterwards.</returns>
    public Task<StoredConfiguration> ApplyAsync(string changeId, Func<StoredConfiguration, StoredConfiguration?> rule, CancellationToken cancellationToken) =>
        ConditionalWrite.RunAsync(
            "the replicate configuration",
            async ct =>
            {
                var read = await ReadAsync(ct);
                if (read.ChangeId == changeId || rule(read) is not { } next)
                {
                    return read;
                }

                next = next with { ChangeId = changeId, Meta = next.Meta with { Version = read.Meta.Version + 1 } };
                await WriteAsync(next, read.ETag, ct);
                return next;
            },
            cancellationToken);

    private async Task WriteAsync(StoredConfiguration next, ETag etag, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Partition, cluster.Id) { ["Version"] = next.Meta.Version, ["ChangeId"] = next.ChangeId! };
        if (next.ArrivedFrom is { } from && next.ArrivedBroadcastId is { } broadcastId)
        {
            row["ArrivedFrom"] = from;
            row["ArrivedBroadcastId"] = broadcastId;
        }

        if (next.OwnBroadcastId is { } own)
        {
            row["OwnBroadcastId"] = own;
        }

        row.SetValue(next.Meta);
        await (etag == default
            ? tables.ReplicateConfig.AddEntityAsync(row, cancellationToken)
            : tables.ReplicateConfig.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken));
    }
}
