using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Edge.Retries;

namespace Baton.Node.Cdc;

/// <content>After the target was promoted in this cluster's place: nothing is sent any more, and what only this cluster has is listed, as long as the channel is led here.</content>
internal sealed partial class CdcRunner
{
    /// <summary>The least time between two looks: a cluster that goes on taking writes would report each of them.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>How rarely broadcasts are asked about that the target lacks, when it has lacked them for long.</summary>
    private static readonly TimeSpan LongestBetweenAsking = TimeSpan.FromSeconds(60);

    private async Task SalvageAsync(ReplicateDeparture departure, CancellationToken ct)
    {
        Stand(CdcPhase.Superseded, $"cluster {departure.By} was promoted in this cluster's place by broadcast {departure.BroadcastId}");
        Volatile.Write(ref _ackedLsn, departure.From.Lsn);
        LogSuperseded(_around.Log, _source.Channel, _task.TargetCluster, departure.By, departure.BroadcastId, departure.From.Lsn);
        var reported = _task.Salvage;
        if (_task.State != CdcTaskState.Superseded)
        {
            // At once: writes are refused from then on, and looking through the log takes its time.
            await ReportAsync(new CdcReport(_task.BroadcastId, Departure: departure), ct);
        }

        // What the target never was to have, from before the task, it does not lack.
        var survey = new SalvageSurvey(_source, _terms, _around.Settings.KeptBytes, departure.From.Lsn > 0 ? departure.From.Lsn : _task.StartLsn - 1, HasBroadcastAsync);
        var failures = _around.Pauses();
        var (asking, askAt) = (new Backoff(BetweenLooks, LongestBetweenAsking), _around.Time.GetUtcNow() + BetweenLooks);
        while (true)
        {
            try
            {
                var moved = _source.Progress.Moved;
                if (_around.Time.GetUtcNow() >= askAt)
                {
                    askAt = _around.Time.GetUtcNow() + (await survey.AskAgainAsync(ct) ? BetweenLooks : asking.Next());
                }

                var found = await survey.LookAsync(ct);
                if (reported is null || found.Count != reported.Count || !found.Ranges.SequenceEqual(reported.Ranges))
                {
                    await ReportAsync(new CdcReport(_task.BroadcastId, Departure: departure, Salvage: found), ct);
                    reported = found;
                }

                failures = _around.Pauses();
                await UntilAsync(moved, survey.MayShrink ? askAt : null, ct);
                await Task.Delay(BetweenLooks, _around.Time, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                LogUnreadable(_around.Log, e, _source.Channel, _task.TargetCluster);
                await Task.Delay(failures.Next(), _around.Time, ct);
            }
        }
    }

    private async Task UntilAsync(Task moved, DateTimeOffset? at, CancellationToken ct)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var left = at - _around.Time.GetUtcNow() ?? Timeout.InfiniteTimeSpan;
        var due = Task.Delay(at is not null && left < TimeSpan.Zero ? TimeSpan.Zero : left, _around.Time, pause.Token);
        await Task.WhenAny(moved, due);
        await pause.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>Sends one record. A target that has it says so before it looks at who sends; one that lacks it refuses. It carries its own position, so that a target which has become this cluster's secondary again keeps its order.</summary>
    private async Task<bool?> HasBroadcastAsync(ReadMessage message, CancellationToken ct) => (await _target.ReplicateAsync([message], ct)).Outcome switch
    {
        TargetOutcome.Taken => true,
        TargetOutcome.Departed or TargetOutcome.Refused => false,
        _ => null,
    };
}
