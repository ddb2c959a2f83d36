using Baton.Core.Api;
using Baton.Edge.Retries;
using Baton.Node.Channels;
using Baton.Node.Metadata;
using Baton.Node.Rehearsal;
using Baton.Node.Replicas;
using Baton.Node.Replication;
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
/// <code>
/// state     meaning                                              goes on to
/// joining   owns nothing, rehearses once, asks to be taken in     beating when it is; leaving when it is told to stop
/// beating   a member: does what the answers say                  joining when it is forgotten or a log failed; leaving when it is told to stop
/// removed   joining or beating, an operator has taken it out     leaving, and the process ends with <see cref="RemovedExitCode"/>
/// lost      joining or beating, see <see cref="Standing"/>                  leaving, and the process ends with <see cref="LostExitCode"/>
/// leaving   a member that takes nothing on: see <see cref="Drain"/>         closed when the host takes no more requests
/// closed    everything is let go                                 -
/// </code>
/// One loop goes through them all but leaving, which begins when the loop has stopped: there is never more than one beat under way.
/// </summary>
internal sealed partial class Membership(
    ControlPlaneClient controlPlane,
    ChannelTable channels,
    ReplicaTable replicas,
    WalStore store,
    Drain drain,
    EarlyBeat early,
    LeaderHints hints,
    CannotLead cannotLead,
    HeardStanding heard,
    MetadataLeader metadata,
    OpeningRehearsal rehearsal,
    IServer server,
    IHostApplicationLifetime lifetime,
    IOptions<NodeSettings> settings,
    TimeProvider time,
    ILogger<Membership> log) : BackgroundService, IHostedLifecycleService
{
    /// <summary>Exit code of a node that has lost everything and cannot join again: whoever started it starts it anew.</summary>
    public const int LostExitCode = 3;

    /// <summary>Exit code of a node that an operator has removed: whoever started it need not start it again.</summary>
    public const int RemovedExitCode = 4;

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PrepareTimeout = TimeSpan.FromSeconds(15);

    private readonly Standing _standing = new(TimeSpan.FromMilliseconds(settings.Value.RejoinTimeoutMs), time);
    // Drawn once: the control plane tells by it whether the process that it suspected did end.
    private readonly string _instance = Guid.NewGuid().ToString("N");
    private readonly CancellationTokenSource _leave = new();
    private readonly TaskCompletionSource _stayed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The incarnation that the control plane knows this node by, or 0 while it has not joined.</summary>
    public long Incarnation { get; private set; }

    /// <summary>What the process ends with.</summary>
    public int ExitCode { get; private set; }

    Task IHostedLifecycleService.StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHostedLifecycleService.StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Leaves. Runs before the host stops anything, so that this node serves meanwhile.</summary>
    async Task IHostedLifecycleService.StoppingAsync(CancellationToken cancellationToken)
    {
        if (ExecuteTask is not null)
        {
            await _leave.CancelAsync();
            await _stayed.Task.WaitAsync(cancellationToken);
            channels.TakeNothingOn();
            await drain.RunAsync(ExitCode == LostExitCode ? 0 : Incarnation, cancellationToken);
        }
    }

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        drain.End();
        return base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _leave.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var staying = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _leave.Token);
        hints.RouteRead = AskIfAbove;
        try
        {
            await StayAsync(staying.Token);
        }
        catch (OperationCanceledException) when (staying.IsCancellationRequested)
        {
            // Told to stop: what is open is served while this node leaves, and closed below.
        }
        finally
        {
            hints.RouteRead = null;
            _stayed.TrySetResult();
        }

        await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await CloseAllAsync();
    }

    private async Task StayAsync(CancellationToken ct)
    {
        await ListeningAsync(ct);
        await rehearsal.RunAsync(BoundAddress(), ct);
        while (true)
        {
            await JoinAsync(ct);
            await BeatAsync(ct);
            await CloseAllAsync();
        }
    }

    private Task CloseAllAsync()
    {
        Incarnation = 0;
        return Task.WhenAll(channels.CloseAllAsync(), replicas.CloseAllAsync());
    }

    private async Task JoinAsync(CancellationToken ct)
    {
        var backoff = new Backoff(FirstRetry, LongestRetry);
        while (true)
        {
            try
            {
                await PrepareStorageAsync(ct);
                var endpoint = settings.Value.Endpoint ?? BoundAddress();
                var joined = await controlPlane.JoinAsync(new JoinNodeRequest(endpoint, settings.Value.Zone, settings.Value.Capacity, _instance), ct);
                Incarnation = joined.Incarnation;
                _standing.Heard();
                LogJoined(log, settings.Value.Id, joined.Incarnation, joined.Assignments.Count);
                cannotLead.Heard(Incarnation);
                heard.Hear(joined.Replication);
                metadata.Hear(joined.Metadata);
                channels.Follow(joined.Assignments);
                replicas.Follow(joined.Assignments);
                return;
            }
            catch (ControlPlaneException e) when (e.IsConflict)
            {
                // The one thing that a join conflicts with: this very process was removed.
                await EndRemovedAsync(e.Message, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                await EndIfLostAsync(e.Message, ct);

                // Without its cluster a node has nothing to do but to ask again; the delay is bounded, the number of attempts is not.
                var delay = backoff.Next();
                LogJoinFailed(log, settings.Value.Id, e.Message, (int)delay.TotalMilliseconds);
                await Task.Delay(delay, time, ct);
            }
        }
    }

    // Bounded: how long this node has been alone is looked at between two attempts.
    private async Task PrepareStorageAsync(CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(PrepareTimeout);
        await store.PrepareAsync(limit.Token);
    }

    /// <summary>Beats until this node must join again.</summary>
    private async Task BeatAsync(CancellationToken ct)
    {
        var rejoin = channels.TroubleAsync();
        var answered = true;
        while (true)
        {
            await PauseAsync(mayBeEarly: answered, rejoin, ct);
            if (rejoin.IsCompleted)
            {
                LogRejoining(log, settings.Value.Id, await rejoin);
                return;
            }

            early.Begins();
            _standing.Note(HasOwned);
            var held = channels.Held();
            try
            {
                var answer = await controlPlane.HeartbeatAsync(new HeartbeatRequest(Incarnation, [.. held.Select(c => c.Heartbeat()), .. replicas.Heartbeats()]), ct);
                answered = true;
                _standing.Heard();
                if (answer.Removed)
                {
                    await EndRemovedAsync("its heartbeat was answered so", ct);
                }

                if (answer.MustRejoin)
                {
                    LogRejoining(log, settings.Value.Id, "the control plane does not know this incarnation");
                    return;
                }

                cannotLead.Heard(Incarnation);
                heard.Hear(answer.Replication);
                metadata.Hear(answer.Metadata);
                channels.Follow(answer.Assignments);
                channels.Release(held, answer.Assignments);
                replicas.Follow(answer.Assignments);
            }
            catch (ControlPlaneException e)
            {
                answered = false;
                LogBeatFailed(log, settings.Value.Id, e.Message);
                await EndIfLostAsync(e.Message, ct);
            }
        }
    }

    /// <summary>Until the next beat is due, or asked for, or there is a reason to join again. After one that failed nobody can make it come early: a control plane that is away is not asked more often.</summary>
    private async Task PauseAsync(bool mayBeEarly, Task rejoin, CancellationToken ct)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var due = Task.Delay(TimeSpan.FromMilliseconds(settings.Value.HeartbeatIntervalMs), time, pause.Token);
        var asked = mayBeEarly ? Task.WhenAll(early.Asked.WaitAsync(pause.Token), Task.Delay(EarlyBeat.LeastPause, time, pause.Token)) : due;
        await Task.WhenAny(due, rejoin, asked);
        await pause.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    private bool HasOwned => channels.HasLed || OwnsNow;

    private bool OwnsNow => channels.OwnsAny || replicas.Heartbeats().Count > 0;

    private Task EndRemovedAsync(string answer, CancellationToken ct)
    {
        LogRemoved(log, settings.Value.Id, answer, RemovedExitCode);
        return EndAsync(RemovedExitCode, ct);
    }

    /// <summary>Stops the process. Ends by <paramref name="ct"/> only, which that brings about.</summary>
    private Task EndAsync(int exitCode, CancellationToken ct)
    {
        ExitCode = exitCode;
        lifetime.StopApplication();
        return Task.Delay(Timeout.InfiniteTimeSpan, time, ct);
    }

    private async Task EndIfLostAsync(string reason, CancellationToken ct)
    {
        _standing.Note(HasOwned);
        if (_standing.IsLost(OwnsNow))
        {
            LogLost(log, settings.Value.Id, (long)_standing.Silence.TotalMilliseconds, settings.Value.RejoinTimeoutMs, reason, LostExitCode);
            await EndAsync(LostExitCode, ct);
        }
    }

    /// <summary>A route that names this node as leader at a term that it has not seen: its <c>open</c> was lost or is late.</summary>
    private void AskIfAbove(RouteView route)
    {
        if (route.Channels.Any(c => string.Equals(c.Value.NodeId, settings.Value.Id, StringComparison.Ordinal) && c.Value.Term > channels.TermSeen(c.Key)))
        {
            early.Ask();
        }
    }

    private async Task ListeningAsync(CancellationToken ct)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = lifetime.ApplicationStarted.Register(() => started.TrySetResult());
        await started.Task.WaitAsync(ct);
        LogListening(log, BoundAddress());
    }

    private Uri BoundAddress() => new(server.Features.Get<IServerAddressesFeature>()!.Addresses.First());
}
