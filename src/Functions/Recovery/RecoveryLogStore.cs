using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Recovery;

/// <summary>An event of the log: <c>GET /api/recovery/log</c>.</summary>
/// <param name="At">When (UTC).</param>
/// <param name="Number">With the session, what makes it one of its kind: writing it twice keeps one row.</param>
/// <param name="Channel">The channel.</param>
/// <param name="Replica">The replica's id.</param>
/// <param name="SessionId">The session that it is about; 0 where it is about none.</param>
/// <param name="Event">What happened: a name of <see cref="RecoveryEvents"/>.</param>
/// <param name="Detail">Why, or with which numbers; may be empty.</param>
internal sealed record RecoveryEntry(DateTimeOffset At, long Number, string Channel, string Replica, long SessionId, string Event, string Detail)
{
    /// <summary>Events that happened one after the other.</summary>
    public static IReadOnlyList<RecoveryEntry> Of(IEnumerable<RecoveryEvent> events, DateTimeOffset at, long afterNumber) =>
        [.. events.Select((e, i) => new RecoveryEntry(at, afterNumber + 1 + i, e.Channel, e.Replica, e.SessionId, e.Event, e.Detail))];
}

/// <summary>Table <c>Timeline</c>, partition <c>recovery</c>: append-only; row keys run backwards in time, so that the newest come first.</summary>
internal sealed class RecoveryLogStore(ControlPlaneTables tables)
{
    /// <summary>The most entries an answer holds.</summary>
    public const int MaxEntries = 1_000;

    private const string Partition = "recovery";

    /// <summary>Writes entries; the same again changes nothing.</summary>
    public async Task WriteAsync(IReadOnlyList<RecoveryEntry> entries, CancellationToken cancellationToken)
    {
        foreach (var some in entries.Chunk(TableClient.MaxTransactionActions))
        {
            await tables.Timeline.SubmitTransactionAsync(some.Select(e => new TableTransactionAction(TableTransactionActionType.UpsertReplace, ToRow(e))), cancellationToken);
        }
    }

    /// <summary>The newest entries, newest first.</summary>
    /// <param name="channel">Only this channel's; null for all.</param>
    /// <param name="replica">Only this replica's; null for all.</param>
    /// <param name="last">How many at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<RecoveryEntry>> ReadAsync(string? channel, string? replica, int last, CancellationToken cancellationToken)
    {
        var filter = TableClient.CreateQueryFilter($"PartitionKey eq {Partition}")
            + (channel is null ? string.Empty : " and " + TableClient.CreateQueryFilter($"Channel eq {channel}"))
            + (replica is null ? string.Empty : " and " + TableClient.CreateQueryFilter($"Replica eq {replica}"));
        var entries = new List<RecoveryEntry>();
        await foreach (var row in tables.Timeline.QueryAsync<TableEntity>(filter, maxPerPage: last, cancellationToken: cancellationToken))
        {
            entries.Add(JsonSerializer.Deserialize<RecoveryEntry>(row.GetString("Entry") ?? "null", BatonJson.Options) ?? throw new InvalidDataException($"Recovery row {row.RowKey} holds no entry."));
            if (entries.Count == last)
            {
                break;
            }
        }

        return entries;
    }

    private static TableEntity ToRow(RecoveryEntry entry)
    {
        // Of entries of one moment the later number comes first, as the later moment does.
        var rowKey = string.Create(
            CultureInfo.InvariantCulture,
            $"{DateTime.MaxValue.Ticks - entry.At.UtcTicks:D19}-{long.MaxValue - entry.Number:D19}-{entry.SessionId}-{entry.Channel}-{entry.Replica}");
        return new TableEntity(Partition, rowKey) { ["Channel"] = entry.Channel, ["Replica"] = entry.Replica, ["Entry"] = JsonSerializer.Serialize(entry, BatonJson.Options) };
    }
}
