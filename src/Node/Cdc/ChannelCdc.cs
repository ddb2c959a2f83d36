using Baton.Core.Api;
using Baton.Core.Cdc;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Node.Cdc;

/// <summary>
/// The senders of one channel, for as long as it is led here: at most one for each target. <see cref="CdcTasks"/> says which there are; the end of the leadership stops them all, whatever
/// else is under way, and none begins after it.
/// <para>
/// It also says what of the log they need. Until it has heard of its tasks, and while a target of the configuration has none, nothing may be deleted: how far that target is is not known. The
/// same is so while a target has not got to where the channel was opened, since which transactions were committed before that is not known here.
/// </para>
/// </summary>
/// <param name="source">The channel.</param>
/// <param name="openedLsn">Its last record when it was opened.</param>
internal sealed class ChannelCdc(CdcSource source, long openedLsn) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CommitSpans _commits = new(openedLsn);
    private readonly Dictionary<string, CdcRunner> _runners = new(StringComparer.Ordinal);
    private bool _heard;
    private bool _stopped;

    /// <summary>How far each task is that has not ended.</summary>
    public IReadOnlyList<CdcProgress> Progress()
    {
        lock (_lock)
        {
            return [.. _runners.Values.Where(r => !r.Over).Select(r => r.Progress()).OrderBy(p => p.TargetCluster, StringComparer.Ordinal)];
        }
    }

    /// <summary>A record is in the log. In the channel's turn.</summary>
    public void Applied(long lsn, WalRecord record)
    {
        lock (_lock)
        {
            _commits.Take(lsn, record);
        }
    }

    /// <summary>The lowest LSN that senders need; <see cref="long.MaxValue"/> where they need nothing, null where nothing may go.</summary>
    /// <param name="configuration">The one in force on the channel.</param>
    public long? NeededFromLsn(ReplicateConfiguration? configuration)
    {
        lock (_lock)
        {
            if (configuration is null)
            {
                // No other cluster was ever named on this channel.
                return long.MaxValue;
            }

            if (!_heard || ReplicateRoles.TargetsOf(configuration, source.ClusterId).Any(t => !_runners.TryGetValue(t, out var runner) || runner.Over))
            {
                // One that is over is of an earlier direction: the configuration has made it anew, and the next task needs the log from there on.
                return null;
            }

            var needed = long.MaxValue;
            foreach (var runner in _runners.Values.Where(r => !r.Over))
            {
                if (runner.AckedLsn is not { } acked || _commits.NeededBehind(acked) is not { } from)
                {
                    return null;
                }

                needed = Math.Min(needed, from);
            }

            return needed;
        }
    }

    /// <summary>Has a sender work on each of these tasks, which are all of this channel, and on no other. Those that go on are left alone.</summary>
    public async Task FollowAsync(IReadOnlyList<CdcTaskView> tasks, CdcSurroundings around)
    {
        await _turn.WaitAsync();
        try
        {
            var wanted = tasks.Where(t => t.State != CdcTaskState.Ended).DistinctBy(t => t.TargetCluster, StringComparer.Ordinal).ToDictionary(t => t.TargetCluster, StringComparer.Ordinal);
            var old = Runners().Where(r => !(wanted.TryGetValue(r.View.TargetCluster, out var task) && GoesOn(r, task))).ToArray();

            // The next one of a target begins when the one before has let go; until then that one says what of the log is needed.
            await Task.WhenAll(old.Select(r => r.DisposeAsync().AsTask()));
            lock (_lock)
            {
                foreach (var runner in old)
                {
                    _runners.Remove(runner.View.TargetCluster);
                }

                foreach (var task in wanted.Values.Where(t => !_stopped && !_runners.ContainsKey(t.TargetCluster)))
                {
                    _runners.Add(task.TargetCluster, CdcRunner.Start(task, source, around));
                }

                _heard = true;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The channel is not led here any more: stops everything, without waiting for it.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            foreach (var runner in _runners.Values)
            {
                runner.Stop();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        await _turn.WaitAsync();
        try
        {
            await Task.WhenAll(Runners().Select(r => r.DisposeAsync().AsTask()));
        }
        finally
        {
            _turn.Release();
        }
    }

    private CdcRunner[] Runners()
    {
        lock (_lock)
        {
            return [.. _runners.Values];
        }
    }

    // One that has learnt of a departure goes on while the control plane still has its task as running: its report is on the way. The reverse, a departure that this leader has not met itself, is taken over.
    private static bool GoesOn(CdcRunner runner, CdcTaskView task) =>
        runner.View.BroadcastId == task.BroadcastId && runner.View.Token == task.Token && runner.View.Uri == task.Uri && (task.State == CdcTaskState.Running || runner.Superseded || runner.Over);
}
