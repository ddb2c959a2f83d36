using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Edge.Retries;
using Baton.Node.Replicas.Feed;
using Baton.Storage.Replicas;
using Baton.Storage.Wal;

namespace Baton.Node.Replicas;

/// <content>What every failure of an activity means: a pause and another attempt, on files opened anew where the disk failed, or waiting for an order.</content>
internal sealed partial class Follower
{
    private Backoff _backoff = around.NewBackoff();

    /// <summary>Tries until there is a result. Every failure has a pause behind it, which doubles until something succeeds.</summary>
    private async Task<bool> RetryAsync(Func<ReplicaLog, Task<bool?>> attempt, CancellationToken ct)
    {
        _backoff = around.NewBackoff();
        while (true)
        {
            try
            {
                if (await attempt(await OpenLogAsync(ct)) is { } result)
                {
                    return result;
                }
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                throw;
            }
            catch (FeedException e)
            {
                LogFeed(around.Log, Channel, e.Message);
            }
            catch (Exception e) when (e is ReplicaGapException or ReplicaTermRefusedException or WalFormatException)
            {
                LogRefused(around.Log, e, Channel);
            }
            catch (WalTrimmedException) when (_log is { } log && log.LastLsn < log.FirstLsn)
            {
                // Nothing is lost with an empty log: the next attempt begins where the history does.
                _compared = false;
            }
            catch (Exception e) when (e is WalTrimmedException or ReplicaDamagedException)
            {
                LogUnusable(around.Log, e, Channel);
                SetState(FollowState.NeedsRebuild);
                return false;
            }
            catch (Exception e) when (e is WalFaultedException or WalDamagedException)
            {
                LogStorage(around.Log, e, Channel);
            }
            catch (Exception e)
            {
                LogDisk(around.Log, e, Channel);
                await CloseFaultedLogAsync();
            }

            SetState(FollowState.Disconnected);
            await Task.Delay(_backoff.Next(), around.Time, ct);
        }
    }

    private async Task<ReplicaLog> OpenLogAsync(CancellationToken ct)
    {
        if (_log is { Faulted: true })
        {
            // Whether an activity or a step has met it: the next one finds out what is there.
            await CloseFaultedLogAsync();
        }

        if (_log is null)
        {
            _compared = false;
            _log = await ReplicaLog.OpenAsync(Channel, around.Options, around.Time, around.Log, ct);
        }

        return _log;
    }

    private async Task CloseFaultedLogAsync()
    {
        try
        {
            await CloseLogAsync();
        }
        catch (Exception e)
        {
            LogDisk(around.Log, e, Channel);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel}: {Reason}")]
    private static partial void LogFeed(ILogger log, string channel, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The replica of channel {Channel} refused what came")]
    private static partial void LogRefused(ILogger log, Exception exception, string channel);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The replica of channel {Channel} must be rebuilt")]
    private static partial void LogUnusable(ILogger log, Exception exception, string channel);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log of channel {Channel} cannot be read from the storage for its replica")]
    private static partial void LogStorage(ILogger log, Exception exception, string channel);
}
