using System.Globalization;
using Baton.Core.Broadcasts;
using Baton.Functions.Tables;
using Baton.Storage.Tables;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// The rows of a task, both in one partition, so that one write changes both: the task, and its place in the order of callbacks while it has one. Places are keys alone,
/// in their order: who asks for what is before a place reads those and nothing else, however many tasks there are.
/// </summary>
internal static class BroadcastRows
{
    /// <summary>The partition of all of them.</summary>
    public const string Partition = "task";

    /// <summary>Keys of places begin with this; keys of tasks are digits and come before.</summary>
    public const string PlacePrefix = "place-";

    /// <summary>The property with the time at which a task ended.</summary>
    public const string EndedAt = "EndedAt";

    private const string PlaceProperty = "Place";

    /// <summary>Key of a task's row.</summary>
    public static string Key(long broadcastId) => broadcastId.ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>The task that a key says.</summary>
    public static long ToId(string rowKey) => long.Parse(rowKey, CultureInfo.InvariantCulture);

    /// <summary>Key of a place's row.</summary>
    public static string Key(CallbackPlace place) => string.Create(CultureInfo.InvariantCulture, $"{PlacePrefix}{place.ControlTick:D20}-{place.BroadcastId:D20}");

    /// <summary>The place that a key says.</summary>
    public static CallbackPlace ToPlace(string rowKey)
    {
        var tick = rowKey.AsSpan(PlacePrefix.Length, 20);
        return new CallbackPlace(long.Parse(tick, CultureInfo.InvariantCulture), long.Parse(rowKey.AsSpan(PlacePrefix.Length + 21), CultureInfo.InvariantCulture));
    }

    /// <summary>What writes <paramref name="next"/>, on condition that <paramref name="before"/> is what is stored, or nothing where that is null.</summary>
    public static IReadOnlyList<TableTransactionAction> Change(StoredBroadcast? before, StoredBroadcast next) =>
        Change(before, next, CallbackOrder.PlaceOf(next.Task) is { } place ? Key(place) : null);

    /// <summary>What takes a task's place away from it.</summary>
    public static IReadOnlyList<TableTransactionAction> WithoutPlace(StoredBroadcast broadcast) => Change(broadcast, broadcast, place: null);

    /// <summary>About how long <paramref name="actions"/> are in a transaction's body, in bytes.</summary>
    public static long SizeOf(IEnumerable<TableTransactionAction> actions) =>
        actions.Sum(a => 1_024L + a.Entity.Sum(p => p.Value is byte[] bytes ? bytes.Length * 4L / 3 : 64L));

    /// <summary>What a task's row says.</summary>
    public static StoredBroadcast ToStored(TableEntity row) =>
        new(row.GetRequired<BroadcastTask>(), row.GetString("SourceClusterId"), row.GetInt64("SourceTimeTick"), row.ETag, row.GetString(PlaceProperty));

    private static List<TableTransactionAction> Change(StoredBroadcast? before, StoredBroadcast next, string? place)
    {
        var row = ToRow(next, place);
        List<TableTransactionAction> actions =
        [
            before is null
                ? new TableTransactionAction(TableTransactionActionType.Add, row)
                : new TableTransactionAction(TableTransactionActionType.UpdateReplace, row, before.ETag),
        ];
        if (!string.Equals(before?.Place, place, StringComparison.Ordinal))
        {
            if (before?.Place is { } left)
            {
                actions.Add(new TableTransactionAction(TableTransactionActionType.Delete, new TableEntity(Partition, left)));
            }

            if (place is not null)
            {
                actions.Add(new TableTransactionAction(TableTransactionActionType.Add, new TableEntity(Partition, place)));
            }
        }

        return actions;
    }

    private static TableEntity ToRow(StoredBroadcast broadcast, string? place)
    {
        var row = new TableEntity(Partition, Key(broadcast.Task.BroadcastId)) { ["State"] = broadcast.Task.State.ToString() };
        if (broadcast.SourceClusterId is { } source)
        {
            row["SourceClusterId"] = source;
        }

        if (broadcast.SourceTimeTick is { } tick)
        {
            row["SourceTimeTick"] = tick;
        }

        if (place is not null)
        {
            row[PlaceProperty] = place;
        }

        if (broadcast.Task.TombstonedAt is { } endedAt)
        {
            row[EndedAt] = endedAt;
        }

        row.SetValue(broadcast.Task);
        return row;
    }
}
