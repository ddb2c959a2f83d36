using Baton.Core.Api;
using Baton.Node.Messages;
using Baton.Storage.Replicas;

namespace Baton.Node.Replicas;

/// <content>Reads of the replica's own copy: what it holds is durable, so a reader sees nothing that could go away. It may be behind its leader.</content>
internal sealed partial class Follower
{
    private int _waitingReaders;

    /// <summary>Reads that wait for the copy to grow.</summary>
    public int WaitingReaders => Volatile.Read(ref _waitingReaders);

    /// <summary>Messages from an LSN on; waits for the first one up to <paramref name="wait"/>.</summary>
    /// <exception cref="ApiException">RangeNotSatisfiable below what is held; Unavailable where the copy is not known to be the channel's, or cannot be read now.</exception>
    public async Task<ReadResponse> ReadAsync(long from, int max, TimeSpan wait, Isolation isolation, bool showTokens, CancellationToken ct)
    {
        var started = around.Time.GetTimestamp();
        while (true)
        {
            var moved = _progress.Moved;
            var log = _compared && _log is { } held ? held : throw CopyUnavailable();
            var through = log.LastLsn;
            var (messages, next) = await ReadAsync(log, new LogRead(from, through, max, isolation, showTokens), ct);
            var left = wait - around.Time.GetElapsedTime(started);
            if (messages.Count > 0 || left <= TimeSpan.Zero)
            {
                return new ReadResponse(messages, next, through);
            }

            from = next;
            Interlocked.Increment(ref _waitingReaders);
            try
            {
                await moved.WaitAsync(left, around.Time, ct);
            }
            catch (TimeoutException)
            {
                return new ReadResponse([], from, through);
            }
            finally
            {
                Interlocked.Decrement(ref _waitingReaders);
            }
        }
    }

    private async Task<(List<ReadMessage> Messages, long NextLsn)> ReadAsync(ReplicaLog log, LogRead read, CancellationToken ct)
    {
        if (read.From < log.FirstLsn)
        {
            throw new ApiException(ApiErrorCode.RangeNotSatisfiable, $"this node's copy of channel {Channel} begins at LSN {log.FirstLsn}") { FirstAvailable = log.FirstLsn };
        }

        try
        {
            return await LogReader.ReadAsync(log.ReadAsync, read, ct);
        }
        catch (Exception e) when (e is ReplicaCutException or ReplicaDamagedException or ReplicaFaultedException or ObjectDisposedException)
        {
            LogReadFailed(around.Log, e, Channel, read.From);
            throw CopyUnavailable();
        }
    }

    private ApiException CopyUnavailable() => new(ApiErrorCode.Unavailable, $"this node's copy of channel {Channel} cannot be read at the moment") { RetryAfterSeconds = 1 };

    [LoggerMessage(Level = LogLevel.Warning, Message = "The replica of channel {Channel} could not be read from LSN {FromLsn}")]
    private static partial void LogReadFailed(ILogger log, Exception exception, string channel, long fromLsn);
}
