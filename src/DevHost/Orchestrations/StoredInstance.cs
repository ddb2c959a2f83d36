using Azure;
using Baton.Storage.Tables;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>A message that waits in the table.</summary>
internal sealed record StoredMessage(string RowKey, long Sequence, HistoryEvent Event);

/// <summary>A row that counts for nothing.</summary>
/// <param name="RowKey">Its key.</param>
/// <param name="ETag">As it was found: under the key of an uncounted page, another engine may have put one that counts before it is deleted.</param>
internal sealed record LeftOverRow(string RowKey, ETag ETag)
{
    /// <summary>A row whose key nobody uses again.</summary>
    public static LeftOverRow Own(string rowKey) => new(rowKey, ETag.All);
}

/// <summary>All of an instance that counts.</summary>
internal sealed record StoredInstance(InstanceRecord Record, ExecutionHistory History, IReadOnlyList<StoredMessage> Messages, IReadOnlyList<LeftOverRow> LeftOver)
{
    /// <summary>Puts an instance together from its rows.</summary>
    /// <exception cref="DamagedInstanceException">A row makes no sense.</exception>
    public static StoredInstance Assemble(InstanceRecord record, IReadOnlyList<TableEntity> pages, IEnumerable<TableEntity> rows)
    {
        var number = 0;
        var events = new List<HistoryEvent>();
        foreach (var page in pages)
        {
            events.AddRange(DamagedInstanceException.Guard(record.Id, $"Page {number++} of its history", () => EventPage.Read(StoredBytes.Decode(StoredBytes.ReadChunks(page)))));
        }

        events.AddRange(DamagedInstanceException.Guard(record.Id, "The end of its history", () => EventPage.Read(record.Tail)));
        var history = DamagedInstanceException.Guard(record.Id, "Its history", () => new ExecutionHistory(events));
        var (messages, leftOver, consumed) = (new List<StoredMessage>(), new List<LeftOverRow>(), record.Consumed.ToHashSet(StringComparer.Ordinal));
        foreach (var row in rows)
        {
            if (HubRows.IsMessage(row.RowKey) && !consumed.Contains(row.RowKey))
            {
                messages.Add(DamagedInstanceException.Guard(record.Id, $"Message {row.RowKey}", () => Message(row)));
            }
            else if (HubRows.IsLeftOver(row.RowKey, record))
            {
                leftOver.Add(new LeftOverRow(row.RowKey, row.ETag));
            }
        }

        return new StoredInstance(record, history, [.. messages.OrderBy(m => m.Sequence)], leftOver);
    }

    private static StoredMessage Message(TableEntity row) =>
        new(row.RowKey, row.GetInt64("Sequence") ?? 0, EventPage.Read(StoredBytes.Decode(StoredBytes.ReadChunks(row))).Single());
}
