using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Edge.Retries;
using Baton.Node.Channels;
using Baton.Node.Leadership;

namespace Baton.Node.Metadata;

/// <summary>
/// Keeps the catalogue true, on the metadata's leader: what the cluster's state says of nodes and of the channels that carry partitions is written into the log where the catalogue says otherwise
/// (<see cref="CatalogueDifference"/>), topics without leaders get them, and channels of deleted topics are taken out of the cluster. The state is the verdict, the catalogue follows: nothing here
/// decides who leads. A former leader can do no harm: the log takes nothing of it, and the control plane looks at the term.
/// </summary>
internal sealed partial class CatalogueKeeper(ControlPlaneClient controlPlane, MetadataCopy copy, ChannelTable channels, TopicInitializer initializer, TimeProvider time, ILogger<CatalogueKeeper> log) : BackgroundService
{
    /// <summary>Between two looks at the state. One that waits at the control plane for a change would hear sooner, and have it read its table 40 times a second for as long as nothing happens.</summary>
    private static readonly TimeSpan LookPause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!stoppingToken.IsCancellationRequested)
        {
            var opened = channels.Opened;
            if (channels.Find(MetadataChannel.Name) is { } led)
            {
                await KeepAsync(led, stoppingToken);
            }
            else
            {
                await opened.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task KeepAsync(LedChannel led, CancellationToken ct)
    {
        using var leading = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var ended = EndWithAsync(led, leading);
        var backoff = NewBackoff();
        var seen = (Version: 0L, Lsn: -1L);
        TopologyView? topology = null;
        while (!leading.IsCancellationRequested)
        {
            try
            {
                topology = await controlPlane.TopologyAsync(topology?.Version ?? 0, TimeSpan.Zero, leading.Token) ?? topology;
                var now = (Version: topology?.Version ?? 0, Lsn: copy.State.LastLsn);
                if (topology is not null && now != seen)
                {
                    seen = await AlignAsync(led, topology, leading.Token) ? now : seen;
                }

                backoff = NewBackoff();
                await Task.Delay(LookPause, time, leading.Token);
            }
            catch (Exception e) when (e is ControlPlaneException or ApiException)
            {
                LogNotAligned(log, led.Term, e.Message);
                await Task.Delay(backoff.Next(), time, leading.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (leading.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // Without this loop the catalogue would say for ever what was true once.
                LogBroken(log, e);
                await Task.Delay(backoff.Next(), time, leading.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await ended;
    }

    /// <summary>One look. Answers whether there was nothing to do: only then is it over until something changes.</summary>
    private async Task<bool> AlignAsync(LedChannel led, TopologyView topology, CancellationToken ct)
    {
        // Behind the back of all else: a control plane that takes long for one topic must not keep the catalogue from following the others.
        var unassigned = copy.State.UnassignedTopics;
        if (unassigned.Count > 0)
        {
            initializer.Begin(led);
        }

        var (commands, retired) = CatalogueDifference.Between(copy.State, topology);
        foreach (var some in commands.Chunk(MetadataLimits.MaxCommandsPerRequest))
        {
            await WriteAsync(led, some);
        }

        var deleted = 0;
        foreach (var some in retired.Chunk(CreateTopicChannelsRequest.MaxChannels))
        {
            deleted += (await controlPlane.DeleteTopicChannelsAsync(new DeleteTopicChannelsRequest(led.Term, some), ct)).Deleted.Count;
        }

        if (deleted > 0)
        {
            LogRetired(log, deleted);
        }

        return commands.Count + deleted + unassigned.Count == 0;
    }

    // All or none is right for a client's commands. Of these each stands for itself: one that is refused, because somebody has put something else there by hand, must not hold up the others.
    private async Task WriteAsync(LedChannel led, MetadataCommand[] commands)
    {
        try
        {
            await led.CommandAsync(commands, producer: null);
        }
        catch (ApiException e) when (IsRefusal(e))
        {
            foreach (var command in commands)
            {
                try
                {
                    await led.CommandAsync([command], producer: null);
                }
                catch (ApiException alone) when (IsRefusal(alone))
                {
                    LogRefused(log, command.ToString(), alone.Message);
                }
            }
        }
    }

    private static bool IsRefusal(ApiException e) => e.Error.Code is ApiErrorCode.Conflict or ApiErrorCode.NotFound or ApiErrorCode.InvalidArgument;

    private static async Task EndWithAsync(LedChannel led, CancellationTokenSource leading)
    {
        Task end = led.WaitEndAsync();
        await end.WaitAsync(leading.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await leading.CancelAsync();
    }

    private static Backoff NewBackoff() => new(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalogue is not aligned with the cluster's state at term {Term} yet: {Reason}")]
    private static partial void LogNotAligned(ILogger log, long term, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} channels of deleted topics are taken out of the cluster")]
    private static partial void LogRetired(ILogger log, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The catalogue does not take {Command}, which the cluster's state asks for: {Reason}")]
    private static partial void LogRefused(ILogger log, string command, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalogue cannot be aligned with the cluster's state: trying again")]
    private static partial void LogBroken(ILogger log, Exception exception);
}
