using System.Globalization;
using System.Text;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>
/// Broadcasts to the control vchannel and some others, each when the one before is complete: the pauses leave a change of configuration, which needs the
/// cluster's lock alone, its chance. Some take one of three locks of their own.
/// </summary>
internal sealed class BroadcastWriter(LocalCluster cluster, Recorder recorder, LoadPace pace, string id)
{
    private const int PauseMs = 100;

    /// <summary>Broadcasts until the cluster refuses it.</summary>
    /// <param name="finish">No further broadcast; the one under way is waited for.</param>
    /// <param name="abort">Not even that.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        try
        {
            for (var number = 1; !finish.IsCancellationRequested; number++)
            {
                await Task.Delay(PauseMs, abort);
                var text = string.Create(CultureInfo.InvariantCulture, $"{id}:{number}");
                if (!await SendAsync(text, abort))
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            // One without an answer may be there: every broadcast found in a log is looked at, whoever knows of it.
        }
    }

    private async Task<bool> SendAsync(string text, CancellationToken abort)
    {
        var others = cluster.Channels.Where(_ => pace.Draw(3) > 0).Select(c => $"{c}_v1").ToList();
        List<string> vchannels = [VChannels.Control(cluster.Channels[0]), .. others.Count > 0 ? others : [$"{cluster.Channels[^1]}_v1"]];
        var keys = pace.Draw(4) is var key and < 3 ? new[] { new ResourceKey(ResourceDomain.Collection, string.Create(CultureInfo.InvariantCulture, $"collection{key}")) } : [];
        try
        {
            var view = await cluster.Client.CreateBroadcastAsync(new("chaos", vchannels, Encoding.UTF8.GetBytes(text), keys), abort);
            recorder.Add(new RecordedBroadcast(view.BroadcastId, vchannels));
            while ((await cluster.Client.BroadcastAsync(view.BroadcastId, abort)).Body is not { State: not BroadcastState.Pending })
            {
                await Task.Delay(PauseMs, abort);
            }

            return true;
        }
        catch (ApiAnswerException e)
        {
            return e.Status is not 409;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !abort.IsCancellationRequested))
        {
            return true;
        }
    }
}
