using Baton.Core.Api;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>
/// The latest writes of the latest producers, so that a write sent again is answered and not appended again. A producer's
/// sequences only rise: one below its latest is either remembered, and a repeat, or refused, never appended out of order.
/// </summary>
internal sealed class ProducerTable(int producers, int sequences)
{
    private readonly Dictionary<string, LinkedListNode<Producer>> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<Producer> _oldestFirst = [];

    /// <summary>The first answer where <paramref name="stamp"/> is a repeat.</summary>
    public WriteAnswer? FindRepeat(ProducerStamp stamp) =>
        _byId.TryGetValue(stamp.Id, out var node) ? node.Value.Writes.Find(w => w.Sequence == stamp.Sequence)?.Answer : null;

    /// <summary>Null where <paramref name="stamp"/> may be the producer's next write.</summary>
    public ApiError? CheckNext(ProducerStamp stamp)
    {
        if (!Names.IsValidId(stamp.Id) || stamp.Sequence < 0)
        {
            return ApiError.InvalidArgument("producer: id must match [a-z0-9][a-z0-9._-]{0,62} and sequence cannot be negative");
        }

        return _byId.TryGetValue(stamp.Id, out var node) && stamp.Sequence <= node.Value.Last
            ? ApiError.Conflict($"producer {stamp.Id}: sequence {stamp.Sequence} is below {node.Value.Last}, its latest, and is not one of the {sequences} remembered")
            : null;
    }

    /// <summary>A record is in the log.</summary>
    public void Apply(long lsn, WalRecord record)
    {
        if (record.ProducerId is not { } id)
        {
            return;
        }

        if (_byId.TryGetValue(id, out var node))
        {
            _oldestFirst.Remove(node);
        }
        else
        {
            node = new LinkedListNode<Producer>(new Producer(id));
            _byId[id] = node;
        }

        _oldestFirst.AddLast(node);
        node.Value.Add(record.ProducerSequence, lsn, record.TimeTick, sequences);
        while (_byId.Count > producers)
        {
            _byId.Remove(_oldestFirst.First!.Value.Id);
            _oldestFirst.RemoveFirst();
        }
    }

    /// <summary>All that is remembered, in order of the last write.</summary>
    public IEnumerable<string> Describe() => _oldestFirst.Select(p => $"{p.Id}: {string.Join(", ", p.Writes)}");

    /// <summary>Writes all that is remembered, in order of the last write.</summary>
    public void WriteTo(SnapshotWriter writer)
    {
        writer.Number(_oldestFirst.Count);
        foreach (var producer in _oldestFirst)
        {
            writer.Text(producer.Id);
            writer.Number(producer.Writes.Count);
            foreach (var (sequence, answer) in producer.Writes)
            {
                writer.Number(sequence);
                writer.Number(answer.FirstLsn);
                writer.Number(answer.LastLsn);
                writer.Number(answer.TimeTick);
            }
        }
    }

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    /// <exception cref="WalFormatException">It is something else.</exception>
    public static ProducerTable ReadFrom(ref SnapshotReader reader, int producers, int sequences)
    {
        var table = new ProducerTable(producers, sequences);
        var count = reader.Count("producers");
        table._byId.EnsureCapacity(count);
        for (var left = count; left > 0; left--)
        {
            var producer = new Producer(reader.Text("producer"));
            for (var writes = reader.Count("writes"); writes > 0; writes--)
            {
                producer.Writes.Add(new Write(reader.Number("sequence"), new WriteAnswer(reader.Number("first LSN"), reader.Number("last LSN"), reader.Number("time tick"))));
            }

            if (producer.Writes.Count == 0 || !table._byId.TryAdd(producer.Id, table._oldestFirst.AddLast(producer)))
            {
                throw reader.Wrong($"producer {producer.Id} is there twice or without a write");
            }
        }

        return table;
    }

    private sealed record Write(long Sequence, WriteAnswer Answer);

    private sealed class Producer(string id)
    {
        public string Id { get; } = id;

        public List<Write> Writes { get; } = [];

        public long Last => Writes[^1].Sequence;

        // The records of one write follow each other in the log, since they were one batch.
        public void Add(long sequence, long lsn, long timeTick, int keep)
        {
            if (Writes.Count > 0 && Last == sequence)
            {
                Writes[^1] = new Write(sequence, Writes[^1].Answer with { LastLsn = lsn, TimeTick = timeTick });
                return;
            }

            Writes.Add(new Write(sequence, new WriteAnswer(lsn, lsn, timeTick)));
            if (Writes.Count > keep)
            {
                Writes.RemoveRange(0, Writes.Count - keep);
            }
        }
    }
}
