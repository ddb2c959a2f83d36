using Baton.Core.Api;
using Baton.Node.Channels;
using Baton.Node.Replicas;
using Baton.Node.Settings;
using Baton.Storage.Wal;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace Baton.Node.Leadership;

/// <summary>
/// Keeps this node in its cluster: joins, beats, opens what it should lead and closes what it should not. When the control plane forgets it, or a
/// log fails under it, it lets go of everything and joins again. While the control plane is out of reach it goes on serving what it leads:
/// the log itself stops a leader that has been replaced.
/// </summary>
internal sealed partial class Membership(
    ControlPlaneClient controlPlane,
    ChannelTable channels,
    ReplicaTable replicas,
    WalStore store,
    IServer server,
    IHostApplicationLifetime lifetime,
    IOptions<NodeSettings> settings,
    TimeProvider time,
    ILogger<Membership> log) : BackgroundService
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    /// <summary>The incarnation that the control plane knows this node by, or 0 while it has not joined.</summary>
    public long Incarnation { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await StartedAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await JoinAsync(stoppingToken);
                await BeatAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                // Stopping: what is open is closed below.
            }

            Incarnation = 0;
            await Task.WhenAll(channels.CloseAllAsync(), replicas.CloseAllAsync());
        }
    }

    private async Task JoinAsync(CancellationToken ct)
    {
        var backoff = new Backoff(FirstRetry, LongestRetry);
        while (true)
        {
            try
            {
                await store.PrepareAsync(ct);
                var endpoint = settings.Value.Endpoint ?? BoundAddress();
                var joined = await controlPlane.JoinAsync(new JoinNodeRequest(endpoint, settings.Value.Zone, settings.Value.Capacity), ct);
                Incarnation = joined.Incarnation;
                LogJoined(log, settings.Value.Id, joined.Incarnation, joined.Assignments.Count);
                channels.Follow(joined.Assignments);
                replicas.Follow(joined.Assignments);
                return;
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // Without its cluster a node has nothing to do but to ask again; the delay is bounded, the number of attempts is not.
                var delay = backoff.Next();
                LogJoinFailed(log, settings.Value.Id, e.Message, (int)delay.TotalMilliseconds);
                await Task.Delay(delay, time, ct);
            }
        }
    }

    /// <summary>Beats until this node must join again.</summary>
    private async Task BeatAsync(CancellationToken ct)
    {
        var interval = TimeSpan.FromMilliseconds(settings.Value.HeartbeatIntervalMs);
        var rejoin = channels.TroubleAsync();
        while (true)
        {
            using var pause = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var beat = Task.Delay(interval, time, pause.Token);
            if (await Task.WhenAny(beat, rejoin) == rejoin)
            {
                await pause.CancelAsync();
                LogRejoining(log, settings.Value.Id, await rejoin);
                return;
            }

            await beat;
            var held = channels.Held();
            try
            {
                var answer = await controlPlane.HeartbeatAsync(new HeartbeatRequest(Incarnation, [.. held.Select(c => c.Heartbeat()), .. replicas.Heartbeats()]), ct);
                if (answer.MustRejoin)
                {
                    LogRejoining(log, settings.Value.Id, "the control plane does not know this incarnation");
                    return;
                }

                channels.Follow(answer.Assignments);
                channels.Release(held, answer.Assignments);
                replicas.Follow(answer.Assignments);
            }
            catch (ControlPlaneException e)
            {
                LogBeatFailed(log, settings.Value.Id, e.Message);
            }
        }
    }

    private async Task StartedAsync(CancellationToken ct)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(() => started.TrySetResult());
        await started.Task.WaitAsync(ct);
        LogListening(log, BoundAddress());
    }

    private Uri BoundAddress() => new(server.Features.Get<IServerAddressesFeature>()!.Addresses.First());

    // Whoever starts nodes as child processes waits for this line.
    [LoggerMessage(Level = LogLevel.Information, Message = "Baton node listening on {Address}")]
    private static partial void LogListening(ILogger log, Uri address);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {NodeId} joined as incarnation {Incarnation} with {Assignments} assignments")]
    private static partial void LogJoined(ILogger log, string nodeId, long incarnation, int assignments);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} could not join: {Reason}; again in {DelayMs} ms")]
    private static partial void LogJoinFailed(ILogger log, string nodeId, string reason, int delayMs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} closes its channels and joins again: {Reason}")]
    private static partial void LogRejoining(ILogger log, string nodeId, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Heartbeat of node {NodeId} failed: {Reason}")]
    private static partial void LogBeatFailed(ILogger log, string nodeId, string reason);
}
