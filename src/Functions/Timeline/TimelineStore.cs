using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Azure;
using Baton.Core.Api;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Timeline;

/// <summary>Something that happened to the cluster: <c>GET /api/timeline</c>.</summary>
/// <param name="Id">Unique for one happening: writing it twice keeps one row.</param>
/// <param name="Kind">What it is: see <see cref="TimelineKinds"/>.</param>
/// <param name="At">When (UTC).</param>
/// <param name="Summary">One sentence for an operator.</param>
/// <param name="OperationId">The operation it belongs to, if any.</param>
/// <param name="Steps">Timings, where there are steps.</param>
internal sealed record TimelineEntry(
    string Id,
    string Kind,
    DateTimeOffset At,
    string Summary,
    string? OperationId = null,
    IReadOnlyList<TimelineStep>? Steps = null);

/// <summary>A step of a happening and how long it took.</summary>
internal sealed record TimelineStep(string Name, long ElapsedMs, string? Detail = null);

/// <summary>Kinds of <see cref="TimelineEntry"/>.</summary>
internal static class TimelineKinds
{
    /// <summary>A forced promotion has fenced in.</summary>
    public const string PromotionStarted = "promotionStarted";

    /// <summary>A forced promotion is done.</summary>
    public const string PromotionFinished = "promotionFinished";

    /// <summary>Channels got new leaders.</summary>
    public const string Failover = "failover";

    /// <summary>A channel was moved because an operator wanted it to.</summary>
    public const string Moved = "moved";

    /// <summary>An operator removed a node.</summary>
    public const string NodeRemoved = "nodeRemoved";

    /// <summary>Copies and leaderships were evened out over the nodes.</summary>
    public const string Rebalanced = "rebalanced";

    /// <summary>A pass of reconciliation.</summary>
    public const string Reconciled = "reconciled";

    /// <summary>A configuration is in force.</summary>
    public const string ConfigurationApplied = "configurationApplied";

    /// <summary>A configuration that came by replication was refused.</summary>
    public const string ConfigurationRefused = "configurationRefused";

    /// <summary>Another cluster was promoted in this one's place.</summary>
    public const string Superseded = "superseded";

    /// <summary>A queue message that nobody can act on.</summary>
    public const string DeadLetter = "deadLetter";

    /// <summary>An operation was given up.</summary>
    public const string OperationFailed = "operationFailed";
}

/// <summary>Table <c>Timeline</c>: append-only; row keys run backwards in time, so that the newest come first.</summary>
internal sealed class TimelineStore(ControlPlaneTables tables)
{
    private const string Partition = "timeline";

    /// <summary>The most entries an answer holds.</summary>
    public const int MaxEntries = 1000;

    /// <summary>Adds an entry; the same again changes nothing.</summary>
    public async Task AddAsync(TimelineEntry entry, CancellationToken cancellationToken)
    {
        var rowKey = string.Create(CultureInfo.InvariantCulture, $"{DateTime.MaxValue.Ticks - entry.At.UtcTicks:D19}-{KeyOf(entry.Id)}");
        try
        {
            await tables.Timeline.AddEntityAsync(
                new TableEntity(Partition, rowKey) { ["Entry"] = JsonSerializer.Serialize(entry, BatonJson.Options) },
                cancellationToken);
        }
        catch (RequestFailedException e) when (e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
        }
    }

    /// <summary>The newest entries.</summary>
    /// <param name="last">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<TimelineEntry>> ReadAsync(int last, CancellationToken cancellationToken)
    {
        var entries = new List<TimelineEntry>();
        await foreach (var row in tables.Timeline.QueryAsync<TableEntity>(TableClient.CreateQueryFilter($"PartitionKey eq {Partition}"), maxPerPage: last, cancellationToken: cancellationToken))
        {
            entries.Add(JsonSerializer.Deserialize<TimelineEntry>(row.GetString("Entry") ?? "null", BatonJson.Options)
                ?? throw new InvalidDataException($"Timeline row {row.RowKey} holds no entry."));
            if (entries.Count == last)
            {
                break;
            }
        }

        return entries;
    }

    // Ids may hold what an outside monitor called its event; a row key takes only some characters.
    private static string KeyOf(string id) =>
        id.Length <= 200 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') ? id : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
}
