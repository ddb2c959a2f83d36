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
/// <param name="ETag">The row's version.</param>
internal sealed record StoredConfiguration(ReplicateConfigurationMeta Meta, string? ChangeId, string? ArrivedFrom, long? ArrivedBroadcastId, ETag ETag);

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
                row.Value!.ETag)
            : new StoredConfiguration(ReplicateConfigurationMeta.Empty, null, null, null, default);
    }

    /// <summary>
    /// Applies a change once: a repeat finds its own <paramref name="changeId"/> and writes nothing. The caller keeps others out between its
    /// first call and its last (the cluster lock, or a rule that refuses), so that its id is still there when it repeats.
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

        row.SetValue(next.Meta);
        await (etag == default
            ? tables.ReplicateConfig.AddEntityAsync(row, cancellationToken)
            : tables.ReplicateConfig.UpdateEntityAsync(row, etag, TableUpdateMode.Replace, cancellationToken));
    }
}
