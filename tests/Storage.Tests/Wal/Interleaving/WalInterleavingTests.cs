using System.Collections.Concurrent;
using System.Globalization;
using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>
/// Writers that open, append and roll, and a reader, interleaved call by call on the model of the storage service, with calls lost, delayed and callers killed.
/// One number is one schedule: a failure names it, and it happens again.
/// </summary>
public sealed class WalInterleavingTests
{
    private const string Channel = "ch";
    private const int FaultsPerRun = 8;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_the_order_of_the_calls_acknowledged_records_stay_and_no_record_comes_twice(int block)
    {
        // BATON_SCHEDULES=100000 for a long run.
        var schedules = int.TryParse(Environment.GetEnvironmentVariable("BATON_SCHEDULES"), NumberStyles.None, CultureInfo.InvariantCulture, out var wanted) ? wanted : 250;
        for (var seed = block * schedules; seed < (block + 1) * schedules; seed++)
        {
            var run = new Run(seed);
            try
            {
                run.Execute();
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"Schedule {seed}: {failure.Message}\n{string.Join('\n', run.Trace)}", failure);
            }
        }
    }

    private sealed class Run(int seed)
    {
        private static readonly WalOptions Options = new() { MaxSegmentBlocks = 3, MaxAttempts = 6, RetryDelayMs = 0, RetryMaxDelayMs = 0 };
        private readonly Random _random = new(seed);
        private readonly ModelWalStorage _model = new();
        private readonly ConcurrentDictionary<string, Appended> _appended = new(StringComparer.Ordinal);
        private readonly ConcurrentBag<(string By, long Lsn, string Text)> _seen = [];
        private int _faults;

        public List<string> Trace => _model.Trace;

        public void Execute()
        {
            var writers = _random.Next(2, 5);
            for (var n = 0; n < writers; n++)
            {
                var (name, term, appends) = ($"w{n}", _random.Next(1, 5), _random.Next(0, 6));
                _model.Start(name, storage => WriteAsync(storage, name, term, appends));
            }

            var rounds = _random.Next(0, 4);
            _model.Start("reader", storage => ReadAsync(storage, rounds));
            Schedule();
            Check();
        }

        private void Schedule()
        {
            for (var step = 0; _model.Settle() is { Count: > 0 } waiting; step++)
            {
                if (step > 5_000)
                {
                    throw new InvalidOperationException("The schedule does not end.");
                }

                if (_model.Late > 0 && _random.Next(6) == 0)
                {
                    _model.TakeLate(_random.Next(_model.Late));
                    continue;
                }

                var actor = waiting[_random.Next(waiting.Count)];
                _model.Take(actor, Fates(actor));
            }
        }

        private Fate Fates(string actor)
        {
            if (_faults >= FaultsPerRun || _random.Next(8) != 0)
            {
                return Fate.Done;
            }

            _faults++;
            return _model.Writes(actor) ? (Fate)_random.Next(1, 6) : Fate.CallLost;
        }

        private void Check()
        {
            var log = Open(1_000);
            while (_model.Late > 0)
            {
                _model.TakeLate(_random.Next(_model.Late));
            }

            Assert.Equal(log, Open(1_001));
            Assert.Equal(log, Read());
            Assert.Equal(log.Count, log.Distinct(StringComparer.Ordinal).Count());
            for (var i = 0; i < log.Count; i++)
            {
                Assert.True(_appended.TryGetValue(log[i], out var appended), $"'{log[i]}' was appended by nobody");
                Assert.True(appended.Lsn == i + 1, $"'{log[i]}' was given LSN {appended.Lsn} and is at {i + 1}");
                Assert.True(appended.End != End.Fenced, $"'{log[i]}' failed as fenced and is in the log");
            }

            foreach (var (text, appended) in _appended)
            {
                Assert.True(appended.End != End.Acknowledged || (appended.Lsn <= log.Count && log[(int)appended.Lsn - 1] == text), $"'{text}' was acknowledged at LSN {appended.Lsn} and is not there");
            }

            foreach (var (by, lsn, text) in _seen)
            {
                Assert.True(lsn <= log.Count && log[(int)lsn - 1] == text, $"{by} saw '{text}' at LSN {lsn}, which is not in the log");
            }
        }

        private async Task WriteAsync(IWalStorage storage, string name, long term, int appends)
        {
            try
            {
                var writer = await Store(storage).OpenAsync(Channel, term, name, new WalReplay((lsn, record) => See(name, lsn, record)), CancellationToken.None);
                for (var n = 0; n < appends; n++)
                {
                    // One or two records in one append: in the log together or not at all.
                    string[] texts = n % 2 == 0 ? [$"{name}.{n}"] : [$"{name}.{n}a", $"{name}.{n}b"];
                    await AppendAsync(writer, texts);
                }
            }
            catch (Exception failure) when (failure is WalTermRefusedException or WalFencedException or WalFaultedException)
            {
                // The ways in which a writer may end.
            }
        }

        private async Task AppendAsync(WalWriter writer, string[] texts)
        {
            var append = writer.Append([.. texts.Select(WalTestExtensions.Message)]);
            Note(texts, append, End.Unknown);
            try
            {
                await append.Durable;
                Note(texts, append, End.Acknowledged);
            }
            catch (WalFencedException)
            {
                Note(texts, append, End.Fenced);
                throw;
            }
        }

        private void Note(string[] texts, WalAppend append, End end)
        {
            for (var i = 0; i < texts.Length; i++)
            {
                _appended[texts[i]] = new Appended(append.FirstLsn + i, end);
            }
        }

        private async Task ReadAsync(IWalStorage storage, int rounds)
        {
            var store = Store(storage);
            var next = 1L;
            for (var round = 0; round < rounds; round++)
            {
                try
                {
                    await foreach (var entry in store.ReadAsync(Channel, next, long.MaxValue, CancellationToken.None))
                    {
                        await See("reader", entry.Lsn, entry.Record);
                        next = entry.Lsn + 1;
                    }
                }
                catch (WalFaultedException)
                {
                    // Too many of its calls were lost; the next round goes on from there.
                }
            }
        }

        private ValueTask See(string by, long lsn, Core.Wal.WalRecord record)
        {
            _seen.Add((by, lsn, record.Text()));
            return ValueTask.CompletedTask;
        }

        private List<string> Open(long term)
        {
            var log = new List<(long, string Text)>();
            Store(_model.Direct()).OpenAsync(Channel, term, log).GetAwaiter().GetResult();
            return log.ConvertAll(entry => entry.Text);
        }

        private List<string> Read() => Store(_model.Direct()).ReadTextsAsync(Channel).GetAwaiter().GetResult();

        private static WalStore Store(IWalStorage storage) => new(storage, Options, TimeProvider.System, NullLoggerFactory.Instance);
    }

    private enum End
    {
        Unknown,
        Acknowledged,
        Fenced,
    }

    private sealed record Appended(long Lsn, End End);
}
