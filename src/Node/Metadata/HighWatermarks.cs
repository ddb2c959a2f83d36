using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.Node.Channels;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>Tells the catalogue, now and then, how far the partitions led here can be read, where that has moved. What is lost is told the next time; what comes late changes nothing, since the catalogue keeps the highest.</summary>
internal sealed partial class HighWatermarks(
    ChannelTable channels, MetadataCopy copy, MetadataForwarder forwarder, MetadataWriter writer, IOptions<ClusterSettings> cluster, IOptions<MetadataSettings> settings, TimeProvider time, ILogger<HighWatermarks> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(settings.Value.HighWatermarkIntervalMs), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var some in Moved().Chunk(MetadataLimits.MaxCommandsPerRequest))
                {
                    await TellAsync(some, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    private List<MetadataCommand> Moved()
    {
        var state = copy.State;
        var moved = new List<MetadataCommand>();
        foreach (var led in channels.Held())
        {
            if (state.FindPartition(led.Name) is var (topic, partition) && topic.Partitions.TryGetValue(partition, out var known) && led.ConfirmedLsn is var confirmed && confirmed > known.HighWatermark)
            {
                moved.Add(new SetHighWatermark(topic.Name, partition, confirmed, topic.TopicId));
            }
        }

        return moved;
    }

    private async Task TellAsync(MetadataCommand[] commands, CancellationToken ct)
    {
        try
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(new MetadataCommandsRequest(commands), BatonJson.Options);
            var request = new ForwardedRequest(HttpMethod.Post, "/metadata/commands", $"Bearer {cluster.Value.Secret}", "application/json", body);
            if (await forwarder.AnswerAsync(request, async (led, _) => Results.Json(await writer.WriteAsync(led, commands, producer: null, ct), BatonJson.Options), ct) is ForwardedAnswer { Status: not StatusCodes.Status200OK } refused)
            {
                LogNotTold(log, commands.Length, $"its leader answered {refused.Status}");
            }
        }
        catch (ApiException e)
        {
            LogNotTold(log, commands.Length, e.Message);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // The next round tells the same and more; without this loop none would.
            LogBroken(log, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The catalogue was not told how far {Count} partitions are; it is told again: {Reason}")]
    private static partial void LogNotTold(ILogger log, int count, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalogue was not told how far partitions are; it is told again")]
    private static partial void LogBroken(ILogger log, Exception exception);
}
