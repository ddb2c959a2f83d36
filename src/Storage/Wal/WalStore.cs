using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace Baton.Storage.Wal;

/// <summary>The logs of a cluster's channels, in one storage account.</summary>
public sealed class WalStore
{
    private readonly IWalStorage _storage;
    private readonly AzureWalStorage? _azure;
    private readonly WalOptions _options;
    private readonly WalRetry _retry;
    private readonly WalFence _fence;
    private readonly WalLogReader _reader;
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
    }

    /// <summary>Creates the container and the table unless they are there.</summary>
    public Task PrepareAsync(CancellationToken cancellationToken) => _azure?.PrepareAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Takes a channel over: whoever wrote to it before can append no more, and every record that is in the log is handed on in order.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="term">The term; must be above the channel's present one.</param>
    /// <param name="owner">Who opens, for people to read.</param>
    /// <param name="replay">Is given the log before this returns; null to take the channel over without looking at what it holds.</param>
    /// <param name="cancellationToken">Gives up; the channel is then in need of another, higher, opening.</param>
    /// <exception cref="WalTermRefusedException">The channel's term is not below <paramref name="term"/>.</exception>
    /// <exception cref="WalFencedException">Another opener came in between.</exception>
    /// <exception cref="WalDamagedException">The log cannot be read to its end.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalWriter> OpenAsync(string channel, long term, string owner, WalReplay? replay, CancellationToken cancellationToken)
    {
        CheckName(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(term, 1);
        ArgumentException.ThrowIfNullOrWhiteSpace(owner);
        var held = await _fence.ClaimAsync(channel, term, owner, Guid.NewGuid().ToString("N"), cancellationToken).ConfigureAwait(false);
        if (held.Manifest.Tail is { } tail)
        {
            await _fence.SealAsync(channel, tail, cancellationToken).ConfigureAwait(false);
        }

        var ended = await _reader.ReplayAsync(held.Manifest, replay?.OnRecord, cancellationToken).ConfigureAwait(false);
        var nextLsn = ended?.LastLsn + 1 ?? held.Manifest.FirstLsnAfterSealed;
        var (now, appender) = await _fence.StartSegmentAsync(held, ended, nextLsn, cancellationToken).ConfigureAwait(false);
        _reader.Note(now.Manifest);
        _logger.LogInformation("Opened channel {Channel} at term {Term} for {Owner}: next LSN {NextLsn}, {Segments} segments", channel, term, owner, nextLsn, now.Manifest.Segments.Count);
        return new WalWriter(_fence, _reader, _options, _time, _logger, now, appender, nextLsn);
    }

    /// <summary>Records in order, checked, from <paramref name="fromLsn"/> to <paramref name="throughLsn"/> or to the present end of the log.</summary>
    /// <exception cref="WalTrimmedException"><paramref name="fromLsn"/> is below the retained history.</exception>
    /// <exception cref="WalDamagedException">A record in the range cannot be read; those before it have been given.</exception>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public IAsyncEnumerable<WalEntry> ReadAsync(string channel, long fromLsn, long throughLsn, CancellationToken cancellationToken)
    {
        CheckName(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        return _reader.ReadAsync(channel, fromLsn, throughLsn, cancellationToken);
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
        CheckName(channel);
        ArgumentOutOfRangeException.ThrowIfLessThan(fromLsn, 1);
        return WalFollow.EntriesAsync(_reader, _options, _time, channel, fromLsn, moved, cancellationToken);
    }

    /// <summary>The channel's manifest, or null when it was never opened.</summary>
    /// <exception cref="WalFaultedException">The storage did not answer.</exception>
    public async Task<WalManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken)
    {
        CheckName(channel);
        var read = await _retry.RunAsync("read the manifest", token => _storage.ReadManifestAsync(channel, token), cancellationToken).ConfigureAwait(false);
        return read?.Manifest;
    }

    // The name becomes part of a blob's name and a table key.
    private static void CheckName(string channel, [CallerArgumentExpression(nameof(channel))] string? parameter = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(channel, parameter);
        if (channel.Length > 128 || channel.Any(c => c is '/' or '\\' or '#' or '?' or '%' || char.IsControl(c)))
        {
            throw new ArgumentException("A channel's name has at most 128 characters and none of / \\ # ? %.", parameter);
        }
    }
}
