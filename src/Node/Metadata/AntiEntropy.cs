using System.Net.Http.Headers;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Edge.Connections;
using Baton.Node.Channels;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>
/// Now and then compares this node's copy with the leader's state, by a hash at one LSN. They are made of the same records by the same rules, so a difference is a fault of this program or of this machine's memory: it
/// is counted, told, and the copy is made anew from the log.
/// </summary>
internal sealed partial class AntiEntropy(
    [FromKeyedServices(NodeApplication.PeerHttp)] HttpClient http,
    MetadataCopy copy,
    MetadataLeader leader,
    MetadataFollower follower,
    ChannelTable channels,
    MetadataMetrics metrics,
    IOptions<ClusterSettings> cluster,
    IOptions<NodeSettings> node,
    IOptions<MetadataSettings> settings,
    TimeProvider time,
    ILogger<AntiEntropy> log) : BackgroundService
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long the copy may take to come to where the leader was when it answered.</summary>
    private static readonly TimeSpan CatchUpTimeout = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.Value.AntiEntropySeconds), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (channels.Find(MetadataChannel.Name) is null && leader.Known is { } known && known.NodeId != node.Value.Id)
                {
                    await CompareAsync(known, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>One comparison. Null where it could not be made: the leader did not answer, or writes so fast that the two were never at one LSN.</summary>
    public async Task<bool?> CompareAsync(LeaderHint known, CancellationToken ct)
    {
        if (await AskAsync(known, ct) is not { Hash: { } hash } theirs)
        {
            return null;
        }

        await copy.WaitAsync(s => s.LastLsn >= theirs.Lsn, CatchUpTimeout, ct);
        if (copy.At(theirs.Lsn) is not { } mine)
        {
            metrics.Compared(null);
            return null;
        }

        var equal = copy.HashOf(mine) == hash;
        metrics.Compared(equal);
        if (!equal)
        {
            LogDiffers(log, theirs.Lsn, known.NodeId);
            follower.Rebuild();
        }

        return equal;
    }

    private async Task<MetadataStatus?> AskAsync(LeaderHint known, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(CallTimeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(known.Endpoint.AsFolder(), "metadata/status?hash=true"));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", cluster.Value.Secret);
            using var answer = await http.SendAsync(request, limit.Token);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<MetadataStatus>(BatonJson.Options, limit.Token) : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            LogNotCompared(log, known.NodeId, e.Message);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalogue differs at LSN {Lsn} from that of its leader, node {NodeId}: it is made anew from the log")]
    private static partial void LogDiffers(ILogger log, long lsn, string nodeId);

    [LoggerMessage(Level = LogLevel.Information, Message = "The catalogue was not compared with that of node {NodeId}: {Reason}")]
    private static partial void LogNotCompared(ILogger log, string nodeId, string reason);
}
