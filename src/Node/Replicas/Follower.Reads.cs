using Baton.Core.Api;
using Baton.Node.Messages;
using Baton.Storage.Replicas;

namespace Baton.Node.Replicas;

/// <content>Reads of the replica's own copy: what it holds is durable, so a reader sees nothing that could go away. It may be behind its leader.</content>
internal sealed partial class Follower
{
    private readonly LongPoll _readers = new(around.Time);

    /// <summary>Reads that wait for the copy to grow.</summary>
    public int WaitingReaders => _readers.Waiting;

    /// <summary>Messages from an LSN on; waits for the first one up to <paramref name="wait"/>.</summary>
    /// <exception cref="ApiException">RangeNotSatisfiable below what is held; Unavailable where the copy is not known to be the channel's, or cannot be read now.</exception>
    public Task<ReadResponse> ReadAsync(long from, int max, TimeSpan wait, Isolation isolation, bool showTokens, CancellationToken ct) => _readers.ReadAsync(
        _progress,
        from,
        wait,
        next => _compared && _log is { } log ? LookAsync(log, new LogRead(next, log.LastLsn, max, isolation, showTokens), ct) : throw CopyUnavailable(),
        ct);

    private async Task<Look> LookAsync(ReplicaLog log, LogRead read, CancellationToken ct)
    {
        if (read.From < log.FirstLsn)
        {
            throw new ApiException(ApiErrorCode.RangeNotSatisfiable, $"this node's copy of channel {Channel} begins at LSN {log.FirstLsn}") { FirstAvailable = log.FirstLsn };
        }

        try
        {
            var (messages, next) = await LogReader.ReadAsync(log.ReadAsync, read, ct);
            return new Look(messages, next, read.Through);
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
