using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Channels;
using Baton.Storage.Replicas;

namespace Baton.Node.Replicas;

/// <summary>
/// A channel that this node follows. One activity at a time owns the replica's log: it follows the leader by itself, or it carries out an order of a recovery
/// session, or it holds still for one. Whoever wants something else takes the turn, stops the activity, waits for its end, and starts another.
/// </summary>
/// <remarks>
/// Who changes what. The assignment and the activity: the holder of the turn. The log: the activity, or the holder of the turn once that has ended. The state: the same.
/// The session: calls, and time.
/// A crash loses only what is in memory: batches that were pushed and were not durable, which a replica must not have, and the session, which the
/// control plane binds again. What is on the disk is a beginning of the channel's log at every moment, or is found not to be when the log is compared.
/// </remarks>
internal sealed partial class Follower(string channel, FollowerSurroundings around) : IDisposable
{
    /// <summary>How long an order may wait for the activity before it to end, or for the storage.</summary>
    private static readonly TimeSpan StepTimeout = TimeSpan.FromSeconds(10);

    /// <summary>What <see cref="SessionState"/> may be.</summary>
    public static readonly IReadOnlyList<string> SessionStates = ["connected", "catchup", "rebuild"];

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _gate = new();
    private readonly ReplicaSession _session = new(around.Time, TimeSpan.FromMilliseconds(around.Settings.SessionIdleMs));
    private readonly DurableProgress _progress = new();
    private CancellationTokenSource _stop = new();
    private Task _activity = Task.CompletedTask;
    private Task _applying = Task.CompletedTask;
    private Assignment? _wanted;
    private volatile Assignment? _assignment;
    private volatile Mode _mode;
    private volatile PullOrder? _order;
    private volatile ReplicaLog? _log;
    private volatile FollowState _state = FollowState.Disconnected;
    private volatile bool _compared;
    private long _knownTerm;
    private long _durableLsn;

    /// <summary>What the activity does.</summary>
    private enum Mode
    {
        /// <summary>Follows the leader by itself.</summary>
        Follow,

        /// <summary>Leaves the log as it is, until the session says what to do or is over.</summary>
        Hold,

        /// <summary>Carries out an order, then follows.</summary>
        Pull,
    }

    /// <summary>The channel.</summary>
    public string Channel { get; } = channel;

    /// <summary>This node is to follow the channel.</summary>
    public bool Assigned => _assignment is not null;

    /// <summary>What it is doing.</summary>
    public FollowState State => _state;

    /// <summary>The last LSN on the disk.</summary>
    public long FlushedLsn => _log is { } log ? EndOf(log) : 0;

    /// <summary>Durable records that are not on the disk, as far as is known here.</summary>
    public long LagRecords => Math.Max(0, Volatile.Read(ref _durableLsn) - FlushedLsn);

    /// <summary>What a recovery session has it do; null while none is bound.</summary>
    public string? SessionState => _session.Left == TimeSpan.Zero ? null : _mode != Mode.Pull ? "connected" : _order?.Source is null ? "catchup" : "rebuild";

    /// <summary>The highest term known. Nothing of a lower one is listened to.</summary>
    public long KnownTerm
    {
        get
        {
            lock (_gate)
            {
                return _knownTerm;
            }
        }
    }

    /// <summary>Takes over what the control plane says, behind the caller's back; null when this node is not to follow the channel any more. What is older than what is known changes nothing.</summary>
    public void Assign(Assignment? assignment)
    {
        lock (_gate)
        {
            if (assignment is not null && assignment.Term < _knownTerm)
            {
                if (assignment != _wanted)
                {
                    LogOldTerm(around.Log, Channel, assignment.Term, _knownTerm);
                }

                return;
            }

            if (assignment == _wanted)
            {
                return;
            }

            _knownTerm = Math.Max(_knownTerm, assignment?.Term ?? 0);
            _wanted = assignment;
            _applying = ApplyAfterAsync(_applying);
        }
    }

    /// <summary>Stops following and lets go of the files, which stay.</summary>
    public Task CloseAsync()
    {
        Assign(null);
        lock (_gate)
        {
            return _applying;
        }
    }

    /// <summary>What a heartbeat says. Waits for nothing.</summary>
    public HeartbeatChannel Heartbeat()
    {
        var flushed = _log?.Flushed ?? default;
        var some = flushed.Term > 0;
        return new HeartbeatChannel(
            Channel, KnownTerm, Assignments.Replica, flushed.Lsn, Volatile.Read(ref _durableLsn), some ? flushed.Term : null, some ? flushed.Crc : null, _state);
    }

    /// <summary>Where it stands.</summary>
    public ChannelStatus Status()
    {
        var last = _log?.LastLsn ?? 0;
        return new ChannelStatus(Channel, Assignments.Replica, KnownTerm, last, 0, Core.Replication.ClusterRole.Standalone, null, [], 0, Following: _state);
    }

    public void Dispose()
    {
        _turn.Dispose();
        _stop.Dispose();
    }

    private async Task ApplyAfterAsync(Task before)
    {
        // Off the caller's thread, which holds a lock and is the heartbeats'. The one before logs its own failure.
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        await _turn.WaitAsync();
        try
        {
            Assignment? wanted;
            lock (_gate)
            {
                wanted = _wanted;
            }

            if (wanted == _assignment)
            {
                return;
            }

            var sessionGoesOn = wanted is not null && wanted.Term == _session.Epoch;
            lock (_gate)
            {
                _assignment = wanted;
                if (sessionGoesOn && _mode != Mode.Follow)
                {
                    // The session is of this very term. What comes after it follows where this says.
                    return;
                }
            }

            await StopAsync(Timeout.InfiniteTimeSpan);
            if (!sessionGoesOn)
            {
                _session.Clear();
                DropOrder();
            }

            if (wanted is null)
            {
                await CloseLogAsync();
                _state = FollowState.Disconnected;
                _progress.Pulse();
                return;
            }

            LogFollows(around.Log, Channel, wanted.Term, wanted.LeaderEndpoint, wanted.Mode ?? ReplicaMode.Sync);
            StartActivity(Mode.Follow);
        }
        catch (Exception e)
        {
            // Closing the files has failed. Whatever is wanted next opens them again.
            LogDisk(around.Log, e, Channel);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the activity. In turn.</summary>
    /// <exception cref="TimeoutException">It has not ended yet: the log is not the caller's, and the activity begins anew when it has.</exception>
    private async Task StopAsync(TimeSpan limit)
    {
        await _stop.CancelAsync();
        var stopped = _stop;
        try
        {
            await _activity.WaitAsync(limit, around.Time);
            stopped.Dispose();
            _stop = new CancellationTokenSource();
        }
        catch (TimeoutException)
        {
            _stop = new CancellationTokenSource();
            _activity = AgainAsync(_activity, _stop.Token);
            throw;
        }
    }

    private async Task AgainAsync(Task before, CancellationToken ct)
    {
        await before;
        await RunAsync(ct);
    }

    private void DropOrder()
    {
        _order?.End(done: false);
        _order = null;
    }

    /// <summary>Starts the next activity. In turn, after <see cref="StopAsync"/>.</summary>
    private void StartActivity(Mode mode)
    {
        _mode = mode;
        _activity = RunAsync(_stop.Token);
    }

    /// <summary>The activity. It never fails.</summary>
    private async Task RunAsync(CancellationToken ct)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            if (_mode == Mode.Pull && !await PullAsync(_order!, ct))
            {
                _mode = Mode.Hold;
            }

            while (_mode == Mode.Hold && _session.Left is { Ticks: > 0 } left)
            {
                await Task.Delay(left, around.Time, ct);
            }

            Assignment? assignment;
            lock (_gate)
            {
                // Together: an assignment that leaves the activity alone, since it is another, must be seen by this one.
                (_mode, assignment) = (Mode.Follow, _assignment);
            }

            if (assignment is not null)
            {
                await FollowAsync(assignment, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Whoever stops it decides what comes next.
        }
        catch (Exception e)
        {
            // Nothing known ends up here; the next assignment or order starts it again.
            _state = FollowState.Disconnected;
            LogDisk(around.Log, e, Channel);
        }
    }

    /// <summary>The last LSN on the disk; what it begins behind where there is none.</summary>
    private static long EndOf(ReplicaLog log) => Math.Max(log.Flushed.Lsn, log.FirstLsn - 1);

    private async Task CloseLogAsync()
    {
        _compared = false;
        if (_log is { } log)
        {
            _log = null;
            await log.DisposeAsync();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Channel {Channel} is followed at term {Term}: leader {Leader}, {Mode}")]
    private static partial void LogFollows(ILogger log, string channel, long term, Uri? leader, ReplicaMode mode);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Channel {Channel}: an assignment of term {Term} is below term {KnownTerm} and is ignored")]
    private static partial void LogOldTerm(ILogger log, string channel, long term, long knownTerm);

    [LoggerMessage(Level = LogLevel.Error, Message = "The replica of channel {Channel} cannot be used at the moment")]
    private static partial void LogDisk(ILogger log, Exception exception, string channel);
}
