using Baton.Node.Status;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <summary>
/// Has a snapshot taken whenever a channel has grown by enough, one at a time, beside the appends. There is no task and no timer while
/// nothing is due. One that fails is made up for by the next: serving does not depend on snapshots, only the next opening takes longer.
/// </summary>
/// <param name="channel">The channel.</param>
/// <param name="everyRecords">Records after which a snapshot is due.</param>
/// <param name="turns">How many channels of the node may take one at the same time.</param>
/// <param name="take">Takes one, and says how many bytes its content has. Null where the channel has ended.</param>
/// <param name="time">The clock.</param>
/// <param name="metrics">Counts them.</param>
/// <param name="log">Is told of failures.</param>
internal sealed partial class SnapshotWorker(
    string channel, int everyRecords, SnapshotTurns turns, Func<CancellationToken, Task<long?>> take, TimeProvider time, NodeMetrics metrics, ILogger log) : IAsyncDisposable
{
    /// <summary>Payload after which a snapshot is due, however few the records: it bounds what an opening has to read.</summary>
    public const long EveryBytes = 64L * 1024 * 1024;

    /// <summary>
    /// A small snapshot is due sooner, after a tenth of the records but no fewer than these, when the last one is so long ago: what an opening then reads of a channel that is written to steadily is some seconds of its log,
    /// and the snapshots cost next to nothing beside it.
    /// </summary>
    public const int EarlyRecords = 1_000;

    /// <summary>Content up to which a snapshot is small.</summary>
    public const long SmallBytes = 64 * 1024;

    /// <summary>The least time from one snapshot, or the opening, to one that is early.</summary>
    public static readonly TimeSpan EarlyAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _work = Task.CompletedTask;
    private bool _working;
    private bool _ended;
    private bool _isSmall = true;
    private long _lastAt = time.GetTimestamp();
    private long _records;
    private long _bytes;

    /// <summary>The log has grown.</summary>
    /// <param name="records">By so many records.</param>
    /// <param name="payloadBytes">With that much payload.</param>
    public void Grown(long records, long payloadBytes)
    {
        lock (_gate)
        {
            _records += records;
            _bytes += payloadBytes;
            if (Due && !_working && !_ended)
            {
                _working = true;
                _work = Task.Run(WorkAsync);
            }
        }
    }

    /// <summary>Takes no more snapshots and gives up the one under way.</summary>
    public async ValueTask DisposeAsync()
    {
        Task work;
        lock (_gate)
        {
            (_ended, work) = (true, _work);
        }

        await _stop.CancelAsync();
        await work;
        _stop.Dispose();
    }

    private bool Due => _records >= everyRecords || _bytes >= EveryBytes || (_isSmall && _records >= Math.Max(EarlyRecords, everyRecords / 10) && time.GetElapsedTime(_lastAt) >= EarlyAfter);

    private async Task WorkAsync()
    {
        while (TakeTurn())
        {
            try
            {
                using var turn = await turns.TakeAsync(_stop.Token);
                Taken(await take(_stop.Token));
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                End();
            }
            catch (Exception e) when (e is WalFencedException or ObjectDisposedException)
            {
                // The channel is another's, or closed, and whoever serves it is told so by the log itself.
                LogEnded(log, channel, e.Message);
                End();
            }
            catch (Exception e)
            {
                metrics.SnapshotFailed();
                LogFailed(log, e, channel, everyRecords);
            }
        }
    }

    // What comes while a snapshot is taken counts towards the next one, also after a failure: no attempt follows another at once.
    private bool TakeTurn()
    {
        lock (_gate)
        {
            _working = Due && !_ended;
            if (_working)
            {
                (_records, _bytes) = (0, 0);
                _lastAt = time.GetTimestamp();
            }

            return _working;
        }
    }

    private void Taken(long? bytes)
    {
        lock (_gate)
        {
            (_ended, _isSmall) = (_ended || bytes is null, bytes <= SmallBytes);
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _ended = true;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel}: no snapshot was taken, or nothing deleted behind it; the next try comes after {EveryRecords} more records at the latest")]
    private static partial void LogFailed(ILogger log, Exception exception, string channel, int everyRecords);

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel}: no more snapshots at this term: {Reason}")]
    private static partial void LogEnded(ILogger log, string channel, string reason);
}
