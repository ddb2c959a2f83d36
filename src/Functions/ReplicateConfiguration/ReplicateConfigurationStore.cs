using System.Text.Json;
using Azure;
using Baton.Core.Api;
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
/// <param name="Superseded">Which cluster was promoted in this one's place.</param>
/// <param name="ETag">The row's version.</param>
internal sealed record StoredConfiguration(
    ReplicateConfigurationMeta Meta, string? ChangeId, string? ArrivedFrom, long? ArrivedBroadcastId, long? OwnBroadcastId, Supersession? Superseded, ETag ETag);

/// <summary>Table <c>ReplicateConfig</c>: one row, one conditional write a change.</summary>
internal sealed class ReplicateConfigurationStore(ControlPlaneTables tables, ClusterOptions cluster)
{
    private const string Partition = "meta";
    private static readonly string[] StandingColumns = ["Version", "Replicates", "Superseded"];

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
                SupersededOf(row.Value!),
                row.Value!.ETag)
            : new StoredConfiguration(ReplicateConfigurationMeta.Empty, null, null, null, null, null, default);
    }

    /// <summary>What nodes are told with every heartbeat: a few columns of the row, without the configuration.</summary>
    public async Task<ReplicateStanding> ReadStandingAsync(CancellationToken cancellationToken)
    {
        var row = await tables.ReplicateConfig.GetEntityIfExistsAsync<TableEntity>(Partition, cluster.Id, StandingColumns, cancellationToken);
        return row.HasValue
            ? new ReplicateStanding(row.Value!.GetInt64("Version")!.Value, row.Value!.GetBoolean("Replicates") ?? false, SupersededOf(row.Value!))
            : new ReplicateStanding(0, Replicates: false);
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

                return await RaiseAsync(changeId, read, next, ct);
            },
            cancellationToken);

    /// <summary>Writes <paramref name="next"/> at the next version, if the row still is what was <paramref name="read"/>.</summary>
    /// <exception cref="RequestFailedException">Somebody else wrote in between: <see cref="ConditionalWrite.IsLostRace"/>.</exception>
    public async Task<StoredConfiguration> RaiseAsync(string? changeId, StoredConfiguration read, StoredConfiguration next, CancellationToken cancellationToken)
    {
        next = next with { ChangeId = changeId, Meta = next.Meta with { Version = read.Meta.Version + 1 } };
        await WriteAsync(next, read.ETag, cancellationToken);
        return next;
    }

    /// <summary>
    /// Keeps who superseded this cluster, if the row still is what was <paramref name="read"/>. The version stays: it counts configurations, and requests for the same one are told by it. Nodes compare all that
    /// they are told, so they notice all the same.
    /// </summary>
    /// <exception cref="RequestFailedException">Somebody else wrote in between: <see cref="ConditionalWrite.IsLostRace"/>.</exception>
    public Task SupersedeAsync(StoredConfiguration read, Supersession superseded, CancellationToken cancellationToken) =>
        WriteAsync(read with { Superseded = superseded }, read.ETag, cancellationToken);

    private static Supersession? SupersededOf(TableEntity row) =>
        row.GetString("Superseded") is { } text ? JsonSerializer.Deserialize<Supersession>(text, BatonJson.Options) : null;

    private async Task WriteAsync(StoredConfiguration next, ETag etag, CancellationToken cancellationToken)
    {
        var row = new TableEntity(Partition, cluster.Id) { ["Version"] = next.Meta.Version, ["Replicates"] = ReplicateAdmission.Replicates(next.Meta.Configuration, cluster.Id) };
        if (next.ChangeId is { } changeId)
        {
            row["ChangeId"] = changeId;
        }

        if (next.Superseded is { } superseded)
        {
            row["Superseded"] = JsonSerializer.Serialize(superseded, BatonJson.Options);
        }

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
