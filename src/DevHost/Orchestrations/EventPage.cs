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

    public static List<HistoryEvent> Read(byte[] bytes)
    {
        var events = new List<HistoryEvent>();
        using var input = new MemoryStream(bytes);
        while (input.Position < input.Length)
        {
            events.Add(HistoryEvent.Parser.ParseDelimitedFrom(input));
        }

        return events;
    }

    /// <summary>Cuts what <see cref="Write"/> made into pages, between events.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Split(byte[] bytes)
    {
        var (start, end) = (0, 0);
        while (end < bytes.Length)
        {
            var next = EndOfEvent(bytes, end);
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

    private static int EndOfEvent(byte[] bytes, int at)
    {
        var (length, shift) = (0, 0);
        byte part;
        do
        {
            part = bytes[at++];
            length |= (part & 0x7f) << shift;
            shift += 7;
        }
        while ((part & 0x80) != 0);
        return at + length;
    }
}
