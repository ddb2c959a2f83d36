using System.Net;
using Baton.Core.Api;
using Baton.Core.Cdc;
using Baton.Core.Time;
using Baton.Node.Leadership;

namespace Baton.Node.Cdc;

/// <summary>
/// Sends the records of one led channel to one other cluster, as one task says. One loop moves it through its phases, and nobody else changes them.
/// <code>
/// phase        what it does                                                             goes on to
/// Connecting   asks the leader of the target channel how far it is                       Shipping, Refused, Superseded, HistoryGone
/// Shipping     has one request under way and the next being read; waits for records      Connecting, Refused, Superseded, HistoryGone, over
/// Refused      asks again, later and later, and offers the one record that may be taken  Shipping, Connecting, Superseded, over
/// HistoryGone  asks again, rarely: the target may have been built up anew                Shipping, Connecting, Refused, Superseded
/// Superseded   lists what only this cluster has, for as long as the channel is led here  -
/// over         has reported that the direction ended                                     -
/// </code>
/// It keeps nothing that would outlive it. What was taken is in the target's log, and the target is asked for it. What a crash, or another leader of the source channel, finds:
/// <list type="bullet">
/// <item>before a request has left, or after its answer: the target says how far it is, and the next leader goes on behind that;</item>
/// <item>a request under way: it is taken before the next leader asks, or after it, or never. At worst the same records come twice, and the target knows them by their position;</item>
/// <item>a transaction that goes in several requests, part of it taken: the target's checkpoint stands before it. It comes again from its begin, and the target takes what it lacks;</item>
/// <item>the configuration that ends the direction taken and not reported: the target refuses this cluster now. It is offered that record again, alone, and says that it has it;</item>
/// <item>a departure learnt and not reported: the target says it again.</item>
/// </list>
/// A leader that was replaced and does not know it yet sends what is durable, in the same order, behind what the target has told it: the same records as its successor.
/// </summary>
internal sealed partial class CdcRunner : IAsyncDisposable
{
    private readonly CdcTaskView _task;
    private readonly CdcSource _source;
    private readonly CdcSurroundings _around;
    private readonly TargetClient _target;
    private readonly DeliveryTerms _terms;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _work;
    private DeliveryReader? _reader;
    private DeliveryBatch? _head;
    private long _resumeLsn;
    private string? _logged;

    // Read by others while the loop goes on.
    private volatile Standing _standing = new(CdcPhase.Connecting, null);
    private volatile bool _over;
    private long _ackedLsn = -1;
    private long _headTick;
    private long _movedAt;

    private CdcRunner(CdcTaskView task, CdcSource source, CdcSurroundings around)
    {
        (_task, _source, _around) = (task, source, around);
        _target = new TargetClient(around.Http, task, source.ClusterId, TimeSpan.FromMilliseconds(around.Settings.RequestTimeoutMs));
        _terms = new DeliveryTerms(source.ClusterId, task.TargetCluster, task.ConfigLsn);
        _movedAt = around.Time.GetTimestamp();
        _work = Task.Run(() => RunAsync(_stop.Token));
    }

    /// <summary>The task.</summary>
    public CdcTaskView View => _task;

    /// <summary>The direction has ended, and the control plane knows it.</summary>
    public bool Over => _over;

    /// <summary>It ships no more, for good.</summary>
    public bool Superseded => _standing.Phase == CdcPhase.Superseded;

    /// <summary>Everything to be sent up to this LSN is durable in the target. Null while the target has not said how far it is, and where what was not taken must stay to be salvaged.</summary>
    public long? AckedLsn => Superseded || Volatile.Read(ref _ackedLsn) is not (>= 0 and var acked) ? null : acked;

    /// <summary>Begins to work on a task.</summary>
    public static CdcRunner Start(CdcTaskView task, CdcSource source, CdcSurroundings around) => new(task, source, around);

    /// <summary>How far it is.</summary>
    public CdcProgress Progress()
    {
        var standing = _standing;
        return new CdcProgress(_task.TargetCluster, standing.Phase, Math.Max(0, Volatile.Read(ref _ackedLsn)), standing.Phase == CdcPhase.Superseded ? 0 : LagMs(), standing.Reason);
    }

    /// <summary>Stops whatever is under way, without waiting for it.</summary>
    public void Stop()
    {
        try
        {
            _ = _stop.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // It has stopped.
        }
    }

    /// <summary>Stops it and waits for that. Again, it does nothing: tasks may be heard of when the channel has been closed already.</summary>
    public async ValueTask DisposeAsync()
    {
        Stop();
        await _work;
        _stop.Dispose();
    }

    // Of the oldest record that is known and not taken. Where none is known and not all is passed, how long nothing has been: never 0 while something may be outstanding.
    private long LagMs()
    {
        if (Volatile.Read(ref _headTick) is > 0 and var tick)
        {
            return Math.Max(1, (long)(_around.Time.GetUtcNow() - TimeTicks.ToInstant(tick)).TotalMilliseconds);
        }

        return Volatile.Read(ref _ackedLsn) >= _source.LastDurableLsn() ? 0 : Math.Max(1, (long)_around.Time.GetElapsedTime(Volatile.Read(ref _movedAt)).TotalMilliseconds);
    }

    private async Task RunAsync(CancellationToken ct)
    {
        try
        {
            var departure = _task.State == CdcTaskState.Superseded ? _task.Departure : await ShipAsync(ct);
            await ForgetReaderAsync();
            if (departure is not null)
            {
                await SalvageAsync(departure, ct);
            }
            else
            {
                await ReportAsync(new CdcReport(_task.BroadcastId, Ended: true), ct);
                _over = true;
                LogEnded(_around.Log, _source.Channel, _task.TargetCluster, _source.Term);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The channel is led elsewhere, or the task is another. What was taken is in the target.
        }
        catch (Exception e)
        {
            LogBroken(_around.Log, e, _source.Channel, _task.TargetCluster);
        }
        finally
        {
            await ForgetReaderAsync();
        }
    }

    /// <summary>Repeats a report until it is taken, or is known to be of a task that is another by now.</summary>
    private async Task ReportAsync(CdcReport report, CancellationToken ct)
    {
        for (var pauses = _around.Pauses(); ;)
        {
            try
            {
                await _around.ControlPlane.ReportCdcAsync(_source.Channel, _task.TargetCluster, report, ct);
                return;
            }
            catch (ControlPlaneException e) when (e.Status is HttpStatusCode.Conflict or HttpStatusCode.NotFound)
            {
                LogReportLate(_around.Log, _source.Channel, _task.TargetCluster, _task.BroadcastId, e.Message);
                return;
            }
            catch (ControlPlaneException e)
            {
                LogReportFailed(_around.Log, _source.Channel, _task.TargetCluster, e.Message);
                await Task.Delay(pauses.Next(), _around.Time, ct);
            }
        }
    }

    private void Stand(CdcPhase phase, string? reason = null) => _standing = new Standing(phase, reason);

    private sealed record Standing(CdcPhase Phase, string? Reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "CDC of channel {Channel} to cluster {Target} (term {Term}): sends from LSN {FromLsn}, {Why}")]
    private static partial void LogStarted(ILogger log, string channel, string target, long term, long fromLsn, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "CDC of channel {Channel} to cluster {Target} (term {Term}) does not send ({Phase}, {Kind}): {Reason}")]
    private static partial void LogSetBack(ILogger log, string channel, string target, long term, CdcPhase phase, string kind, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "CDC of channel {Channel} to cluster {Target}: the log could not be read")]
    private static partial void LogUnreadable(ILogger log, Exception exception, string channel, string target);

    [LoggerMessage(Level = LogLevel.Information, Message = "CDC of channel {Channel} to cluster {Target} (term {Term}) has ended: the target has the configuration without it")]
    private static partial void LogEnded(ILogger log, string channel, string target, long term);

    [LoggerMessage(Level = LogLevel.Error, Message = "CDC of channel {Channel} to cluster {Target}: cluster {By} was promoted in this cluster's place by broadcast {BroadcastId}, and has this channel up to LSN {TakenLsn}")]
    private static partial void LogSuperseded(ILogger log, string channel, string target, string by, long broadcastId, long takenLsn);

    [LoggerMessage(Level = LogLevel.Critical, Message = "CDC of channel {Channel} to cluster {Target} is broken until the channel is led elsewhere")]
    private static partial void LogBroken(ILogger log, Exception exception, string channel, string target);

    [LoggerMessage(Level = LogLevel.Warning, Message = "CDC of channel {Channel} to cluster {Target}: a report was not taken and comes again: {Reason}")]
    private static partial void LogReportFailed(ILogger log, string channel, string target, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "CDC of channel {Channel} to cluster {Target}: a report of the task of broadcast {BroadcastId} is late: {Reason}")]
    private static partial void LogReportLate(ILogger log, string channel, string target, long broadcastId, string reason);
}
