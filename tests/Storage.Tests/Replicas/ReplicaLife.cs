using Baton.Core.Wal;
using Baton.Storage.Replicas;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Replicas;

/// <summary>A log on the model of a disk, beside a list that says what must be in it. Crashes, and a call that fails, may come anywhere; then what was flushed must be there, and nothing that was not written.</summary>
internal sealed class ReplicaLife : IAsyncDisposable
{
    private const string Channel = "ch";
    private readonly ReplicaLogOptions _options;
    private readonly Random _random;
    private readonly List<(long Term, WalRecord Record)> _records = [];
    private ReplicaLog _log;
    private long _first = 1;
    private long _mustReach;
    private long _term = 1;
    private int _number;

    public ReplicaLife(ReplicaFsync fsync, int segmentBytes, int seed)
    {
        _options = new ReplicaLogOptions { Fsync = fsync, SegmentBytes = segmentBytes, FsyncIntervalMs = 60_000 };
        _random = new Random(seed);
        _log = Open();
    }

    public ModelDisk Disk { get; } = new();

    private long Last => _first + _records.Count - 1;

    /// <summary>One thing that is done: what, and two numbers that say how.</summary>
    public Task DoAsync(int what, int x, int y) => what switch
    {
        0 or 1 or 2 or 3 => AppendAsync(records: 1 + (x % 4), overlap: y % 4, newTerm: y >= 8),
        4 => RunAsync(() => _log.FlushAsync(CancellationToken.None), () => _mustReach = Last, null),
        5 => TruncateAsync(Math.Max(0, Last - (x % 8))),
        6 => TrimAsync(_first + x),
        7 when y >= 6 => ResetAsync(1 + (x * 3)),
        8 => CrashAsync(),
        9 => CloseAsync(),
        10 => RefusalsAsync(x),
        _ => ReadAsync(_first + (x % 10), y),
    };

    /// <summary>The log holds exactly what it should.</summary>
    public Task CheckAsync() => CheckAsync(new World(_first, _first, [.. _records], Last));

    public async ValueTask DisposeAsync() => await _log.DisposeAsync();

    private ReplicaLog Open() => ReplicaLog.Open(Channel, Disk.Open(), _options, TimeProvider.System, NullLogger.Instance);

    private async Task AppendAsync(int records, int overlap, bool newTerm)
    {
        _term += newTerm ? 1 : 0;
        // One batch is of one term.
        overlap = Math.Min(overlap, _records.AsEnumerable().Reverse().TakeWhile(r => r.Term == _term).Count());
        var fresh = Enumerable.Range(0, records).Select(_ => (_term, Record())).ToList();
        List<(long Term, WalRecord Record)> batch = [.. _records[^overlap..], .. fresh];
        var bytes = WalBatchCodec.Encode(Last + 1 - overlap, batch.ConvertAll(r => r.Record));
        var grown = _records.Concat(fresh).ToList();
        await RunAsync(
            () => _log.AppendAsync(_term, bytes, CancellationToken.None),
            () =>
            {
                _records.Clear();
                _records.AddRange(grown);
            },
            () => [new World(_first, _first, grown, _mustReach)]);
    }

    private Task TruncateAsync(long lastLsn) => RunAsync(
        () => _log.TruncateAsync(lastLsn, CancellationToken.None),
        () =>
        {
            _mustReach = lastLsn < Last ? lastLsn : _mustReach;
            _records.RemoveRange((int)Math.Max(0, lastLsn - _first + 1), (int)Math.Min(_records.Count, Last - lastLsn));
            _first = lastLsn < _first ? lastLsn + 1 : _first;
        },
        () => lastLsn < _first
            ? [Now with { MustReach = _mustReach }, World.Empty(lastLsn + 1)]
            : [Now with { MustReach = Math.Min(_mustReach, lastLsn) }]);

    private Task TrimAsync(long fromLsn)
    {
        var before = Now;
        return RunAsync(
            () => _log.TrimAsync(fromLsn, CancellationToken.None),
            () =>
            {
                Assert.InRange(_log.FirstLsn, _first, Math.Max(_first, Math.Min(fromLsn, Last)));
                _records.RemoveRange(0, (int)(_log.FirstLsn - _first));
                _first = _log.FirstLsn;
            },
            () => [before with { MaxFirst = Math.Max(_first, Math.Min(fromLsn, Last)) }]);
    }

    private Task ResetAsync(long nextLsn) => RunAsync(
        () => _log.ResetAsync(nextLsn, CancellationToken.None),
        () =>
        {
            _records.Clear();
            (_first, _mustReach) = (nextLsn, nextLsn - 1);
        },
        () => [Now, World.Empty(nextLsn)]);

    private async Task CrashAsync()
    {
        var flushed = _log.Flushed.Lsn;
        if (_options.Fsync != ReplicaFsync.Never && flushed > 0)
        {
            Assert.True(flushed >= _mustReach);
            _mustReach = flushed;
        }

        Disk.Crash(_random);
        await _log.DisposeAsync();
        await ReopenAsync([Now]);
    }

    private async Task CloseAsync()
    {
        await _log.DisposeAsync();

        // Closing forces everything to the disk, unless the disk refused just then.
        _mustReach = Disk.Failed ? _mustReach : Last;
        await ReopenAsync([Now]);
    }

    private async Task RefusalsAsync(int x)
    {
        var gap = WalBatchCodec.Encode(Last + 2 + x, [Record()]);
        var old = WalBatchCodec.Encode(Last + 1, [Record()]);
        var here = _records.Count == 0 ? null : WalBatchCodec.Encode(Last, [_records[^1].Record]);
        await RunAsync(
            async () =>
            {
                Assert.Equal(Last + 1, (await Assert.ThrowsAsync<ReplicaGapException>(() => _log.AppendAsync(_term + 1, gap, CancellationToken.None))).NextLsn);
                if (_records.Count > 0 && _records[^1].Term > 1)
                {
                    await Assert.ThrowsAsync<ReplicaTermRefusedException>(() => _log.AppendAsync(_records[^1].Term - 1, old, CancellationToken.None));
                }

                if (here is not null)
                {
                    await _log.AppendAsync(1, here, CancellationToken.None);
                }

                old[^1] ^= 1;
                await Assert.ThrowsAsync<WalFormatException>(() => _log.AppendAsync(_term + 1, old, CancellationToken.None));
            },
            () => { },
            null);
        await CheckAsync();
    }

    private Task ReadAsync(long from, int count) => RunAsync(
        async () =>
        {
            var read = 0;
            await foreach (var entry in _log.ReadAsync(from, from + count, CancellationToken.None))
            {
                Assert.Equal(from + read++, entry.Lsn);
                AssertSame(_records[(int)(entry.Lsn - _first)], entry.Term, entry.Record);
            }

            Assert.Equal(Math.Clamp(Last - from + 1, 0, count + 1), read);
            var position = await _log.PositionAsync(from, CancellationToken.None);
            Assert.Equal(from <= Last ? Position(from) : (LogPosition?)null, position);
            Assert.Null(await _log.PositionAsync(_first - 1, CancellationToken.None));
        },
        () => { },
        null);

    // What the call that failed has left is one of the worlds; the log says that it cannot be used, is opened again, and the same thing is done again.
    private async Task RunAsync(Func<Task> act, Action done, Func<World[]>? interrupted)
    {
        try
        {
            await act();
        }
        catch (ReplicaFaultedException) when (Disk.Failed)
        {
            var worlds = interrupted?.Invoke() ?? [Now];
            Disk.FailAt = 0;
            if (_random.Next(2) == 0)
            {
                Disk.Crash(_random);
            }

            await _log.DisposeAsync();
            await ReopenAsync(worlds);
            await RedoAsync(act, done);
            return;
        }

        done();
        await NoteAsync();
    }

    // Reopening may have lost what was not flushed, or have finished: a batch may leave a gap then, and is left out.
    private async Task RedoAsync(Func<Task> act, Action done)
    {
        var before = (_log.FirstLsn, _log.LastLsn, _first, _records.Count);
        Assert.Equal((_first, Last), (_log.FirstLsn, _log.LastLsn));
        try
        {
            await act();
        }
        catch (ReplicaGapException)
        {
            Assert.Equal(before, (_log.FirstLsn, _log.LastLsn, _first, _records.Count));
            return;
        }

        if ((_log.FirstLsn, _log.LastLsn) != (before.FirstLsn, before.LastLsn))
        {
            done();
        }

        await NoteAsync();
    }

    private async Task NoteAsync()
    {
        await Task.CompletedTask;
        Assert.Equal((_first, Last), (_log.FirstLsn, _log.LastLsn));
        Assert.Equal(_records.Count == 0 ? default : Position(Last), _log.Last);
        if (_options.Fsync == ReplicaFsync.Always)
        {
            Assert.Equal(_log.Last, _log.Flushed);
        }
    }

    private World Now => new(_first, _first, [.. _records], Math.Max(_mustReach, _first - 1));

    private async Task ReopenAsync(World[] worlds)
    {
        try
        {
            _log = Open();
        }
        catch (ReplicaFaultedException) when (Disk.Failed)
        {
            Disk.FailAt = 0;
            Disk.Crash(_random);
            _log = Open();
        }

        var failures = new List<Exception>();
        foreach (var world in worlds)
        {
            try
            {
                await CheckAsync(world);
                _records.Clear();
                _records.AddRange(world.Records.Skip((int)(_log.FirstLsn - world.MinFirst)).Take((int)(_log.LastLsn - _log.FirstLsn + 1)));
                _first = _log.FirstLsn;
                _mustReach = Last;
                return;
            }
            catch (Xunit.Sdk.XunitException failure)
            {
                failures.Add(failure);
            }
        }

        throw new AggregateException("The log is none of what it may be.", failures);
    }

    private async Task CheckAsync(World world)
    {
        Assert.InRange(_log.FirstLsn, world.MinFirst, world.MaxFirst);
        Assert.InRange(_log.LastLsn, world.MustReach, world.MinFirst + world.Records.Count - 1);
        Disk.Quiet = true;
        var next = _log.FirstLsn;
        await foreach (var entry in _log.ReadAsync(next, long.MaxValue, CancellationToken.None))
        {
            Assert.Equal(next++, entry.Lsn);
            AssertSame(world.Records[(int)(entry.Lsn - world.MinFirst)], entry.Term, entry.Record);
        }

        Assert.Equal(_log.LastLsn + 1, next);
        Disk.Quiet = false;
    }

    private LogPosition Position(long lsn) => new(lsn, _records[(int)(lsn - _first)].Term, WalRecordChecksum.Of(_records[(int)(lsn - _first)].Record));

    private static void AssertSame((long Term, WalRecord Record) expected, long term, WalRecord actual)
    {
        Assert.Equal(expected.Term, term);
        Assert.Equal(WalBatchCodec.Encode(1, [expected.Record]), WalBatchCodec.Encode(1, [actual]));
    }

    private WalRecord Record() => new() { Type = WalRecordType.Message, TimeTick = ++_number, Key = $"k{_number}", Payload = new byte[_random.Next(30)] };

    /// <summary>What a log may be after a crash: beginning anywhere from the one LSN to the other, ending anywhere from the one that must be there to the last of the records.</summary>
    private sealed record World(long MinFirst, long MaxFirst, List<(long Term, WalRecord Record)> Records, long MustReach)
    {
        public static World Empty(long nextLsn) => new(nextLsn, nextLsn, [], nextLsn - 1);
    }
}
