using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>History events as bytes: each with its length in front.</summary>
internal static class EventPage
{
    /// <summary>What a page holds when it holds more than one event. It fits a row even if nothing of it compresses.</summary>
    private const int MaxBytes = 512 * 1024;

    public static byte[] Write(IEnumerable<HistoryEvent> events)
    {
        using var output = new MemoryStream();
        foreach (var e in events)
        {
            e.WriteDelimitedTo(output);
        }

        return output.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes end inside an event, or hold one that is none.</exception>
    public static List<HistoryEvent> Read(byte[] bytes)
    {
        var events = new List<HistoryEvent>();
        for (var at = 0; at < bytes.Length;)
        {
            var (start, end) = NextEvent(bytes, at);
            if (end > bytes.Length)
            {
                throw new InvalidDataException($"Event {events.Count} is cut.");
            }

            var e = HistoryEvent.Parser.ParseFrom(bytes.AsSpan(start..end));
            events.Add(e.EventTypeCase == HistoryEvent.EventTypeOneofCase.None ? throw new InvalidDataException($"Event {events.Count} is of no kind.") : e);
            at = end;
        }

        return events;
    }

    /// <summary>Cuts what <see cref="Write"/> made into pages, between events.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Split(byte[] bytes)
    {
        var (start, end) = (0, 0);
        while (end < bytes.Length)
        {
            var (_, next) = NextEvent(bytes, end);
            if (end > start && next - start > MaxBytes)
            {
                yield return bytes.AsMemory(start..end);
                start = end;
            }

            end = next;
        }

        if (end > start)
        {
            yield return bytes.AsMemory(start..end);
        }
    }

    private static (int Start, int End) NextEvent(byte[] bytes, int at)
    {
        var (length, shift) = (0L, 0);
        byte part;
        do
        {
            part = bytes[at++];
            length |= (part & 0x7fL) << shift;
            shift += 7;
        }
        while ((part & 0x80) != 0 && shift < 35);
        return (at, checked((int)Math.Min(at + length, int.MaxValue)));
    }
}
