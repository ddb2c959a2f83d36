using Baton.Storage.Wal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Storage.Tests.Wal.Interleaving;

/// <summary>One schedule: who does what, in which order the calls are taken, and what must hold after every call and in the end.</summary>
internal sealed class LogSchedule
{
    public const string Channel = "ch";
    private const int FaultsPerRun = 8;
    private readonly Random _random;
    private readonly ModelWalStorage _model = new();
    private readonly LogActors _actors;
    private readonly WalOptions _options;
    private int _faults;
    private WalManifest? _manifest;

    public LogSchedule(int seed)
    {
        _random = new Random(seed);
        _options = new WalOptions { MaxSegmentBlocks = 3, MaxAttempts = 6, RetryDelayMs = 0, RetryMaxDelayMs = 0, RetainMs = 0, SnapshotsKept = _random.Next(1, 3) };
        _actors = new LogActors(_options);
    }

    public List<string> Trace => _model.Trace;

    /// <summary>Where the log began in the end.</summary>
    public long FirstLsn => _manifest!.FirstLsn;

    /// <summary>How many blobs the sweeper took beside the others.</summary>
    public int Swept => _actors.Swept;

    public void Execute()
    {
        if (_random.Next(3) > 0)
        {
            // Something to trim, so that it need not all come from writers that are being disturbed.
            _actors.WriteAsync(_model.Direct(), "before", 1, [.. Enumerable.Repeat(LogActors.Step.Append, 5), LogActors.Step.Snapshot]).GetAwaiter().GetResult();
        }

        var writers = _random.Next(2, 5);
        for (var n = 0; n < writers; n++)
        {
            var (name, term, script) = ($"w{n}", _random.Next(1, 6), Script());
            _model.Start(name, storage => _actors.WriteAsync(storage, name, term, script));
        }

        var (readerRounds, pinnerRounds, sweeperRounds) = (_random.Next(0, 4), _random.Next(0, 3), _random.Next(0, 4));
        var offset = _random.Next(0, 3);
        _model.Start("reader", storage => _actors.ReadAsync(storage, readerRounds));
        _model.Start("pinner", storage => _actors.PinAsync(storage, pinnerRounds, offset));
        _model.Start("sweeper", storage => _actors.SweepAsync(storage, sweeperRounds));
        Schedule();
        CheckEnd();
    }

    private List<LogActors.Step> Script()
    {
        var steps = new List<LogActors.Step>();
        for (var n = _random.Next(0, 10); n > 0; n--)
        {
            steps.Add(_random.Next(10) switch
            {
                < 5 => LogActors.Step.Append,
                < 7 => LogActors.Step.Snapshot,
                < 8 => LogActors.Step.Read,
                _ => LogActors.Step.Trim,
            });
        }

        return steps;
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
            }
            else
            {
                var actor = waiting[_random.Next(waiting.Count)];
                var calls = _model.Waiting(actor);
                var nth = _random.Next(calls.Count);
                _model.Take(actor, nth, Fates(calls[nth].Writes));
            }

            CheckNow();
        }
    }

    private Fate Fates(bool writes)
    {
        if (_faults >= FaultsPerRun || _random.Next(8) != 0)
        {
            return Fate.Done;
        }

        _faults++;
        return writes ? (Fate)_random.Next(1, 6) : Fate.CallLost;
    }

    /// <summary>What must hold after every single call: all that is listed is there, all that is pinned is listed.</summary>
    private void CheckNow()
    {
        var manifest = Manifest();
        if (manifest is null)
        {
            return;
        }

        Assert.True(
            _manifest is null || ReferenceEquals(_manifest, manifest) || (manifest.Revision > _manifest.Revision && manifest.Term >= _manifest.Term && manifest.FirstLsn >= _manifest.FirstLsn),
            $"{_manifest} was followed by {manifest}");
        _manifest = manifest;
        var (segments, snapshots) = (Blobs(_model.Direct().Segments), Blobs(_model.Direct().Snapshots));
        Assert.All(manifest.Segments, s => Assert.True(segments.Contains(s.BlobName(Channel)), $"segment {s.BlobName(Channel)} is listed and is not there"));
        Assert.All(manifest.Snapshots, s => Assert.True(snapshots.Contains(s.BlobName(Channel)), $"snapshot {s.BlobName(Channel)} is listed and is not there"));
        Assert.True(manifest.FirstLsn == 1 || manifest.Snapshots[0].Lsn >= manifest.FirstLsn - 1, "records are gone that no snapshot covers");
        Assert.True(manifest.Segments is not [var first, ..] || first.FirstLsn == manifest.FirstLsn, "the log does not begin where the manifest says");
        Assert.All(_actors.Pinned, pin => Assert.True(manifest.FirstLsn <= pin.Value, $"pinned from {pin.Value}, trimmed to {manifest.FirstLsn}"));
    }

    private void CheckEnd()
    {
        var log = Open(1_000);
        while (_model.Late > 0)
        {
            _model.TakeLate(_random.Next(_model.Late));
            CheckNow();
        }

        Assert.Equal(log, Open(1_001));
        CheckNow();
        var store = new WalStore(_model.Direct(), _options, TimeProvider.System, NullLoggerFactory.Instance);
        Assert.Equal(log.Skip((int)FirstLsn - 1), store.ReadTextsAsync(Channel, FirstLsn).GetAwaiter().GetResult());
        Assert.Equal(new WalHistory(FirstLsn, log.Count, log.Count, _manifest!.SnapshotLsn), store.ReadHistoryAsync(Channel, CancellationToken.None).GetAwaiter().GetResult());
        CheckSnapshots(log);
        _actors.Check(log);

        // With nobody at work, the sweeper leaves what is listed and nothing else.
        store.SweepAsync(Channel, CancellationToken.None).GetAwaiter().GetResult();
        Assert.Equal(_manifest.Segments.Select(s => s.BlobName(Channel)).Order(StringComparer.Ordinal), Blobs(_model.Direct().Segments));
        Assert.Equal(_manifest.Snapshots.Select(s => s.BlobName(Channel)).Order(StringComparer.Ordinal), Blobs(_model.Direct().Snapshots));
    }

    private void CheckSnapshots(IReadOnlyList<string> log)
    {
        var snapshots = new WalSnapshots(_model.Direct(), new WalRetry(_options, TimeProvider.System));
        foreach (var entry in _manifest!.Snapshots)
        {
            var texts = LogState.Decode(snapshots.ReadAsync(Channel, entry, CancellationToken.None).GetAwaiter().GetResult());
            Assert.Equal(log.Take((int)entry.Lsn), texts);
        }
    }

    private IReadOnlyList<string> Open(long term)
    {
        var state = new LogState();
        new WalStore(_model.Direct(), _options, TimeProvider.System, NullLoggerFactory.Instance).OpenAsync(Channel, term, "check", state.Replay, CancellationToken.None).GetAwaiter().GetResult();
        _actors.See("check", state);
        Assert.Equal(Manifest()!.SnapshotLsn, state.RestoredLsn);
        return state.Texts;
    }

    private WalManifest? Manifest() => _model.Direct().ReadManifestAsync(Channel, CancellationToken.None).GetAwaiter().GetResult()?.Manifest;

    private static IReadOnlyList<string> Blobs(IAppendBlobs blobs) => blobs.ListAsync(Channel + "/", CancellationToken.None).GetAwaiter().GetResult();
}
