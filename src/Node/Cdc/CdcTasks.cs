using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Replication;

namespace Baton.Node.Cdc;

/// <summary>
/// Tells the channels led here what they are to send, and to whom. Asks the control plane when it says that its configuration is another than the one last asked for, and when a channel has been opened; not otherwise.
/// One loop; an answer of a configuration older than the one heard of is asked for again. Nothing is lost when it comes late: until then a channel deletes nothing of its log.
/// </summary>
internal sealed partial class CdcTasks(HeardStanding heard, ChannelTable channels, ControlPlaneClient controlPlane, CdcSurroundings around, ILogger<CdcTasks> log) : BackgroundService
{
    private static readonly CdcTasksView None = new(0, []);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            // Taken before they are looked at: what changes meanwhile is looked at again.
            var changed = Task.WhenAny(heard.Changed, channels.Opened);
            try
            {
                if (heard.Now is { } standing && channels.Held() is { Count: > 0 } held)
                {
                    await FollowAsync(held, await FetchAsync(standing.Version, stoppingToken));
                }

                await changed.WaitAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                // The channels stop their senders when they are closed.
            }
            catch (Exception e)
            {
                // Without this loop no task of a later configuration is heard of; and the node has other things to do than to end with it.
                LogBroken(log, e);
                await Task.Delay(around.Pauses().Next(), around.Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private Task FollowAsync(IReadOnlyList<LedChannel> held, CdcTasksView all)
    {
        var byChannel = all.Tasks.ToLookup(t => t.Channel, StringComparer.Ordinal);
        return Task.WhenAll(held.Select(channel => channel.Cdc.FollowAsync([.. byChannel[channel.Name]], around)));
    }

    /// <summary>The tasks of a version or a later one.</summary>
    private async Task<CdcTasksView> FetchAsync(long version, CancellationToken ct)
    {
        if (version == 0)
        {
            // Never configured: there are none, and a thousand channels that open in turn need not ask.
            return None;
        }

        for (var pauses = around.Pauses(); ;)
        {
            try
            {
                var tasks = await controlPlane.CdcTasksAsync(ct);
                if (tasks.Version >= version)
                {
                    return tasks;
                }

                LogOld(log, tasks.Version, version);
            }
            catch (ControlPlaneException e)
            {
                LogFailed(log, e.Message);
            }

            await Task.Delay(pauses.Next(), around.Time, ct);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "No CDC tasks from the control plane: {Reason}")]
    private static partial void LogFailed(ILogger log, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The CDC tasks could not be followed: trying again")]
    private static partial void LogBroken(ILogger log, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "The control plane gave the CDC tasks of configuration {Version}, and {Heard} is in force: asking again")]
    private static partial void LogOld(ILogger log, long version, long heard);
}
