using System.Runtime.CompilerServices;
using Baton.Core.Wal;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Wal;

/// <summary>The logs of a cluster's channels, in one storage account.</summary>
public sealed class WalStore
{
    private const char RehearsalSign = '~';

    private readonly IWalStorage _storage;
    private readonly AzureWalStorage? _azure;
    private readonly WalOptions _options;
    private readonly WalRetry _retry;
    private readonly WalFence _fence;
    private readonly WalLogReader _reader;
    private readonly WalRecovery _recovery;
    private readonly WalSweep _sweep;
    private readonly WalHistoryKeeper _history;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>The logs in <paramref name="storage"/>.</summary>
    /// <exception cref="InvalidOperationException">An option makes no sense.</exception>
    public WalStore(BatonStorage storage, WalOptions options, TimeProvider time, ILoggerFactory loggers)
        : this(new AzureWalStorage(storage), options, time, loggers) => _azure = (AzureWalStorage)_storage;

    internal WalStore(IWalStorage storage, WalOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _storage = storage;
        _options = options;
        _time = time;
        _retry = new WalRetry(options, time);
        _fence = new WalFence(storage, _retry, time);
        _reader = new WalLogReader(storage, _retry, options.ReadRangeBytes);
        _logger = loggers.CreateLogger<WalStore>();
        var snapshots = new WalSnapshots(storage, _retry);
        _recovery = new WalRecovery(storage, _retry, _reader.Index, snapshots, options.ReadRangeBytes, _logger);
        _sweep = new WalSweep(storage, _retry);
        _history = new WalHistoryKeeper(_fence, snapshots, _sweep, options, time);
    }

    /// <summary>Creates the container and the table unless they are there.</summary>
    public Task PrepareAsync(CancellationToken cancellationToken) => _azure?.PrepareAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>The name of a log that is no channel's: no channel of a cluster may begin with this sign.</summary>
    public static string RehearsalName(string owner) => RehearsalSign + owner;

    /// <summary>Deletes a log that <see cref="RehearsalName"/> has named, with everything in it; one that is not there is deleted already.</summary>
    /// <exception cref="ArgumentException">It is a channel's.</exception>
    public Task DeleteRehearsalAsync(string name, CancellationToken cancellationToken)
    {
        ChannelName.Check(name);
        return name.StartsWith(RehearsalSign)
            ? _azure?.DeleteAsync(name, cancellationToken) ?? Task.CompletedTask
            : throw new ArgumentException($"'{name}' is no rehearsal: a channel's log is never deleted.", nameof(name));
    }

    /// <summary>Takes a channel over: whoever wrote to it before can append no more, and the newest usable snapshot and every record behind it are handed on in order.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="term">The term; must be above the channel's present one.</param>
    /// <param name="owner">Who opens, for people to read.</param>
    /// <param name="replay">Is given the log before this returns; null to take the channel over without looking at what it holds.</param>
    /// <param name="cancellationToken">Gives up; the channel is then in need of another, higher, opening.</param>
    /// <exception cref="WalTermRefusedException">The channel's term is not below <paramref name="term"/>.</exception>
    /// <exception cref="WalFencedException">Another opener came in between.</exception>
    /// <exception cref="WalDamagedException">The log cannot be read to its end, or its beginning is deleted and no snapshot can be used.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalWriter> OpenAsync(string channel, long term, string owner, WalReplay? replay, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(term, 1);
        ArgumentException.ThrowIfNullOrWhiteSpace(owner);
        var held = await _fence.ClaimAsync(channel, term, owner, Guid.NewGuid().ToString("N"), cancellationToken).ConfigureAwait(false);
        var (ended, damaged) = await SettleAsync(held.Manifest, replay, cancellationToken).ConfigureAwait(false);
        var nextLsn = ended?.LastLsn + 1 ?? held.Manifest.FirstLsnAfterSealed;
        var (now, appender) = await _fence.StartSegmentAsync(held, ended, nextLsn, damaged, cancellationToken).ConfigureAwait(false);
        _reader.Note(now.Manifest);
        _logger.LogInformation("Opened channel {Channel} at term {Term} for {Owner}: next LSN {NextLsn}, {Segments} segments", channel, term, owner, nextLsn, now.Manifest.Segments.Count);
        return new WalWriter(_fence, _reader, _options, _time, _logger, now, appender, nextLsn, _history);
    }

    /// <summary>Records in order, checked, from <paramref name="fromLsn"/> to <paramref name="throughLsn"/> or to the present end of the log.</summary>
    /// <exception cref="WalTrimmedException"><paramref name="fromLsn"/> is below the retained history.</exception>
    /// <exception cref="WalDamagedException">A record in the range cannot be read; those before it have been given.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public IAsyncEnumerable<WalEntry> ReadAsync(string channel, long fromLsn, long throughLsn, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        return _reader.ReadAsync(channel, fromLsn, throughLsn, cancellationToken);
    }

    /// <summary>What a record is known by, without its value; null where the log does not have it yet.</summary>
    /// <exception cref="WalTrimmedException">It is below the retained history.</exception>
    /// <exception cref="WalDamagedException">It cannot be read.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<LogPosition?> ReadPositionAsync(string channel, long lsn, CancellationToken cancellationToken)
    {
        await foreach (var entry in ReadAsync(channel, lsn, lsn, cancellationToken).ConfigureAwait(false))
        {
            return new LogPosition(entry.Lsn, entry.Term, WalRecordChecksum.Of(entry.Record));
        }

        return null;
    }

    /// <summary>Batches in order, checked, from the one that holds <paramref name="fromLsn"/> to the one that holds <paramref name="throughLsn"/>, or to the present end of the log.</summary>
    /// <remarks>For who keeps the bytes as they are: lengths and CRCs are checked, records are not looked at.</remarks>
    /// <exception cref="WalTrimmedException"><paramref name="fromLsn"/> is below the retained history.</exception>
    /// <exception cref="WalDamagedException">A batch in the range cannot be read; those before it have been given.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public IAsyncEnumerable<WalRawBatch> ReadBatchesAsync(string channel, long fromLsn, long throughLsn, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        return RawAsync(channel, fromLsn, throughLsn, cancellationToken);
    }

    /// <summary>Records in order, checked, from <paramref name="fromLsn"/> on, and then whatever is appended, by whichever writer. Never ends by itself; a channel that does not exist yet is waited for.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="fromLsn">The first LSN wanted; may be ahead of the log.</param>
    /// <param name="moved">Gives a task that completes when the log grows after this call, however the task ends; asked before every look at the log. Null, or when it never completes: polling alone finds what is new.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    /// <exception cref="WalTrimmedException">What was to come next is below the retained history.</exception>
    /// <exception cref="WalDamagedException">The next record cannot be read; those before it have been given.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public IAsyncEnumerable<WalEntry> FollowAsync(string channel, long fromLsn, Func<Task>? moved, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        return WalFollow.EntriesAsync(_reader, _options, _time, channel, fromLsn, moved, cancellationToken);
    }

    /// <summary>The channel's manifest, or null when it was never opened.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        var read = await _retry.RunAsync("read the manifest", token => _storage.ReadManifestAsync(channel, token), cancellationToken).ConfigureAwait(false);
        return read?.Manifest;
    }

    /// <summary>What the channel holds by its storage, or null when it was never opened.</summary>
    /// <exception cref="WalDamagedException">The end of the log cannot be read.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalHistory?> ReadHistoryAsync(string channel, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        for (var attempts = _retry.Begin("read the history"); await ReadManifestAsync(channel, cancellationToken).ConfigureAwait(false) is { } manifest;)
        {
            try
            {
                var (ended, _) = await _recovery.ReplayAsync(manifest, null, sealing: null, cancellationToken).ConfigureAwait(false);
                var lastLsn = ended?.LastLsn ?? manifest.FirstLsnAfterSealed - 1;
                return new WalHistory(manifest.FirstLsn, lastLsn, lastLsn, manifest.SnapshotLsn);
            }
            catch (WalDamagedException damage)
            {
                // The tail that was read of may have been sealed and trimmed since.
                if (await ReadManifestAsync(channel, cancellationToken).ConfigureAwait(false) is { } again && again.Revision == manifest.Revision)
                {
                    throw;
                }

                attempts = await _retry.PauseAsync(attempts, damage, cancellationToken).ConfigureAwait(false);
            }
        }

        return null;
    }

    /// <summary>Hands on the newest usable snapshot and every record behind it, as an opening does, and takes nothing over: for those who keep the state beside the channel's leader.</summary>
    /// <returns>The last LSN handed on; null when the channel was never opened.</returns>
    /// <exception cref="WalDamagedException">The log cannot be read to its end; or it was shortened meanwhile, and can be when it is read anew, into a new state.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<long?> ReplayAsync(string channel, WalReplay replay, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(replay);
        if (await ReadManifestAsync(channel, cancellationToken).ConfigureAwait(false) is not { } manifest)
        {
            return null;
        }

        var (ended, _) = await _recovery.ReplayAsync(manifest, replay, sealing: null, cancellationToken).ConfigureAwait(false);
        return ended?.LastLsn ?? manifest.FirstLsnAfterSealed - 1;
    }

    /// <summary>The last LSN that the newest snapshot covers of those that verify, or null when none does.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<long?> FindSnapshotAsync(string channel, CancellationToken cancellationToken) =>
        await ReadManifestAsync(channel, cancellationToken).ConfigureAwait(false) is { } manifest ? await _recovery.FindSnapshotAsync(manifest, cancellationToken).ConfigureAwait(false) : null;

    /// <summary>Keeps the log from <paramref name="fromLsn"/> on from being deleted, for a reader that is not a consumer. The same id again replaces the pin.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="pinId">Whose it is, at most 128 characters.</param>
    /// <param name="fromLsn">The first LSN to keep.</param>
    /// <param name="duration">For how long, by this process' clock; at most <see cref="WalOptions.MaxPinMs"/>.</param>
    /// <param name="cancellationToken">Gives up; the pin is then set or not.</param>
    /// <exception cref="ArgumentException">An argument is out of its bounds.</exception>
    /// <exception cref="WalTrimmedException">That LSN is gone already.</exception>
    /// <exception cref="InvalidOperationException">The channel was never opened, or has too many pins.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer: the pin is set or not.</exception>
    public async Task PinAsync(string channel, string pinId, long fromLsn, TimeSpan duration, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        CheckPinId(pinId);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        if (duration <= TimeSpan.Zero || duration > TimeSpan.FromMilliseconds(_options.MaxPinMs))
        {
            throw new ArgumentOutOfRangeException(nameof(duration), duration, $"A pin lasts more than nothing and at most '{WalOptions.Section}:{nameof(WalOptions.MaxPinMs)}', {_options.MaxPinMs} ms.");
        }

        var now = _time.GetUtcNow();
        var pin = new WalPin(pinId, fromLsn, now + duration);
        var change = await _fence.ChangeOfAnybodyAsync(channel, manifest => WalPins.Add(manifest, pin, now), cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"Channel '{channel}' was never opened: there is nothing to pin.");
        _reader.Note(change.Now.Manifest);
    }

    /// <summary>Takes a pin back. One that is not there is released already.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer: the pin is there or not.</exception>
    public async Task ReleasePinAsync(string channel, string pinId, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        CheckPinId(pinId);
        if (await _fence.ChangeOfAnybodyAsync(channel, manifest => WalPins.Remove(manifest, pinId), cancellationToken).ConfigureAwait(false) is { } change)
        {
            _reader.Note(change.Now.Manifest);
        }
    }

    /// <summary>Deletes what openers, writers and trims that were cut short have left behind. Safe beside all of them. Returns how many blobs went.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public Task<int> SweepAsync(string channel, CancellationToken cancellationToken)
    {
        ChannelName.Check(channel);
        return _sweep.SweepAsync(channel, cancellationToken);
    }

    private async IAsyncEnumerable<WalRawBatch> RawAsync(string channel, long fromLsn, long throughLsn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (_, batch) in _reader.BatchesAsync(WalBatchForm.Raw, channel, fromLsn, throughLsn, cancellationToken).ConfigureAwait(false))
        {
            yield return batch;
        }
    }

    // Steps 3 and 4.
    private async Task<WalRecovered> SettleAsync(WalManifest manifest, WalReplay? replay, CancellationToken cancellationToken)
    {
        try
        {
            var sealing = manifest.Tail is { } tail ? _fence.SealAsync(manifest.Channel, tail, cancellationToken) : Task.CompletedTask;
            try
            {
                return await _recovery.ReplayAsync(manifest, replay, sealing, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                // Nothing is under way when this returns. What became of it, the replay has heard, unless it failed before.
                await sealing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (WalDamagedException)
        {
            // What a later holder has deleted is missed here, and is no damage: then this one is fenced.
            await _fence.ReadHeldAsync(manifest, cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    private static void CheckPinId(string pinId, [CallerArgumentExpression(nameof(pinId))] string? parameter = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(pinId, parameter);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pinId.Length, 128, parameter);
    }
}
