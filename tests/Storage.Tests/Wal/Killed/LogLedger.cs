using System.Globalization;
using Baton.Storage.Wal;
using Baton.WalApp;

namespace Baton.KilledWriters;

/// <summary>What all writers of one channel were told, to hold against the log.</summary>
internal sealed class LogLedger
{
    private readonly Dictionary<(int Writer, long Sequence), Acknowledged> _acknowledged = [];

    /// <summary>Appends acknowledged so far.</summary>
    public int Count
    {
        get
        {
            lock (_acknowledged)
            {
                return _acknowledged.Count;
            }
        }
    }

    /// <summary>Notes an acknowledgement.</summary>
    public void Note(Acknowledged append)
    {
        lock (_acknowledged)
        {
            _acknowledged.Add((append.Writer, append.Sequence), append);
        }
    }

    /// <summary>Reads the log from its start and holds it against everything acknowledged.</summary>
    public async Task<LogVerdict> CheckAsync(WalStore store, string channel)
    {
        var reading = new Reading();
        await foreach (var entry in store.ReadAsync(channel, 1, long.MaxValue, CancellationToken.None))
        {
            reading.Add(entry);
        }

        lock (_acknowledged)
        {
            return reading.Verdict(_acknowledged);
        }
    }

    /// <summary>One pass over a log.</summary>
    private sealed class Reading
    {
        private readonly Dictionary<(int Writer, long Sequence), (long First, long Last)> _found = [];
        private readonly Dictionary<int, long> _lastSequences = [];
        private readonly LogVerdict _verdict = new();
        private ProofRecord? _previous;
        private long _firstLsn;
        private long _lsn;

        public void Add(WalEntry entry)
        {
            Expect(entry.Lsn == ++_lsn, entry.Lsn, $"comes after LSN {_lsn - 1}");
            _verdict.Records++;
            var record = ProofRecord.Decode(entry.Record);
            Expect(entry.Term == record.Term, entry.Lsn, $"of term {entry.Term} was appended at term {record.Term}");
            Place(entry.Lsn, record);
            _previous = record;
        }

        public LogVerdict Verdict(Dictionary<(int Writer, long Sequence), Acknowledged> acknowledged)
        {
            if (_previous is { } last && last.Index + 1 != last.Count)
            {
                Torn(_lsn, last);
            }

            foreach (var (key, append) in acknowledged)
            {
                if (!_found.TryGetValue(key, out var there))
                {
                    _verdict.Lost++;
                    _verdict.Problems.Add($"Lost: {append}.");
                }
                else if (there != (append.FirstLsn, append.LastLsn))
                {
                    _verdict.Lost++;
                    _verdict.Problems.Add($"Elsewhere: {append} is at {there}.");
                }
            }

            _verdict.Unacknowledged = _found.Count - acknowledged.Count + _verdict.Lost;
            return _verdict;
        }

        // An append's records stand side by side, all of them.
        private void Place(long lsn, ProofRecord record)
        {
            if (_previous is { } previous && previous.Index + 1 < previous.Count)
            {
                if ((record.Writer, record.Sequence, record.Count, record.Index) != (previous.Writer, previous.Sequence, previous.Count, previous.Index + 1))
                {
                    Torn(lsn, previous);
                }
            }
            else if (record.Index != 0)
            {
                Torn(lsn, record);
            }

            _firstLsn = record.Index == 0 ? lsn : _firstLsn;
            if (record.Index == 0)
            {
                Follow(lsn, record);
            }

            if (record.Index + 1 == record.Count)
            {
                _found.TryAdd((record.Writer, record.Sequence), (_firstLsn, lsn));
            }
        }

        private void Follow(long lsn, ProofRecord record)
        {
            if (_found.ContainsKey((record.Writer, record.Sequence)))
            {
                _verdict.Twice++;
                _verdict.Problems.Add(string.Create(CultureInfo.InvariantCulture, $"Twice: LSN {lsn} is {record} again."));
            }

            Expect(_lastSequences.GetValueOrDefault(record.Writer) < record.Sequence, lsn, $"goes back to sequence {record.Sequence} of writer {record.Writer}");
            _lastSequences[record.Writer] = record.Sequence;
        }

        private void Torn(long lsn, ProofRecord record)
        {
            _verdict.Torn++;
            _verdict.Problems.Add(string.Create(CultureInfo.InvariantCulture, $"Torn: {record} at LSN {lsn}."));
        }

        private void Expect(bool holds, long lsn, string problem)
        {
            if (!holds)
            {
                _verdict.Problems.Add(string.Create(CultureInfo.InvariantCulture, $"LSN {lsn} {problem}."));
            }
        }
    }
}

/// <summary>What one reading of a log found.</summary>
internal sealed class LogVerdict
{
    public int Records { get; set; }

    /// <summary>Appends that are there although nobody was told: allowed.</summary>
    public int Unacknowledged { get; set; }

    public int Lost { get; set; }

    public int Twice { get; set; }

    public int Torn { get; set; }

    /// <summary>Everything that is wrong, in words.</summary>
    public List<string> Problems { get; } = [];
}
