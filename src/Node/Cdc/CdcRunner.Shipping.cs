using Baton.Core.Api;
using Baton.Core.Cdc;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Node.Cdc;

/// <content>Connecting and shipping.</content>
internal sealed partial class CdcRunner
{
    private (long ThroughLsn, ReadMessage? Record) _end;

    /// <summary>Ships until the direction has ended in the target too, and then gives null; or until the target says that it was promoted in this cluster's place.</summary>
    private async Task<ReplicateDeparture?> ShipAsync(CancellationToken ct)
    {
        for (var pauses = _around.Pauses(); ;)
        {
            Attempt attempt;
            try
            {
                attempt = await AttemptAsync(ct);
            }
            catch (WalTrimmedException e)
            {
                attempt = new Attempt(CdcPhase.HistoryGone, TargetAnswer.Wrong($"the log begins at LSN {e.FirstLsn}, behind what the target needs next: it has to be built up anew") with { Kind = "history_gone" });
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                LogUnreadable(_around.Log, e, _source.Channel, _task.TargetCluster);
                attempt = new Attempt(CdcPhase.Connecting, TargetAnswer.Retry("log", "the log could not be read"));
            }

            switch (attempt.Answer)
            {
                case null:
                    return null;
                case { Departure: { } departure }:
                    return departure;
                case { Outcome: TargetOutcome.Retry or TargetOutcome.Refused } answer:
                    SetBack(attempt);
                    pauses = attempt.Progressed ? _around.Pauses() : pauses;
                    var pause = pauses.Next();
                    var longest = TimeSpan.FromMilliseconds(_around.Settings.RetryMaxDelayMs);
                    await Task.Delay(answer.After is { } after && after > pause ? (after < longest ? after : longest) : pause, _around.Time, ct);
                    break;
                default:
                    SetBack(attempt);
                    await Task.Delay(TimeSpan.FromMilliseconds(_around.Settings.RetryMaxDelayMs), _around.Time, ct);
                    break;
            }

            if (attempt.Phase != CdcPhase.Connecting || attempt.Answer.Kind == "log")
            {
                await ForgetReaderAsync();
            }
        }
    }

    /// <summary>Asks the target where it is and ships from there, until something is not taken.</summary>
    private async Task<Attempt> AttemptAsync(CancellationToken ct)
    {
        var (hello, ended) = (await SendAsync([], ct), false);
        if (hello is { Outcome: TargetOutcome.Refused, Kind: "refused" })
        {
            (hello, ended) = await OfferAsync(hello, ct);
        }

        if (ended)
        {
            return new Attempt(CdcPhase.Shipping, null);
        }

        if (hello.Outcome != TargetOutcome.Taken)
        {
            return new Attempt(PhaseOf(hello), hello);
        }

        var checkpoint = hello.Response!.Checkpoint;
        if (checkpoint?.Lsn > _source.LastDurableLsn())
        {
            // Waiting for the log to get there would pass over everything until then, and look like a target that lacks nothing.
            return new Attempt(
                CdcPhase.Refused,
                TargetAnswer.Wrong($"the target has this channel up to LSN {checkpoint.Lsn}, and the log here ends at LSN {_source.LastDurableLsn()}: it is not the log that the target has taken, or has another leader by now") with { Kind = "other_log" });
        }

        await ResumeAsync(checkpoint, ct);
        for (var progressed = false; ;)
        {
            if (_head is null)
            {
                _head = await _reader!.NextAsync();
                Volatile.Write(ref _headTick, _head.Messages.Count > 0 ? _head.Messages[0].TimeTick : 0);
            }

            if (_head.Messages.Count > 0)
            {
                if (!_head.Ends)
                {
                    _reader!.ReadAhead();
                }

                var answer = await SendAsync(_head.Messages, ct);
                if (answer.Outcome != TargetOutcome.Taken)
                {
                    return new Attempt(PhaseOf(answer), answer, progressed);
                }

                _resumeLsn = ResumeLsn(answer.Response!.Checkpoint);
            }

            progressed = true;
            Acked(_head.ThroughLsn);
            if (_head.Ends)
            {
                return new Attempt(CdcPhase.Shipping, null);
            }

            _head = null;
        }
    }

    /// <summary>Goes on with what is at hand where the target stands where it stood, else reads from where it stands.</summary>
    private async Task ResumeAsync(ReplicateCheckpoint? checkpoint, CancellationToken ct)
    {
        var fromLsn = ResumeLsn(checkpoint);
        if (_reader is null || fromLsn != _resumeLsn)
        {
            await ForgetReaderAsync();
            _resumeLsn = fromLsn;
            _reader = new DeliveryReader(_source, _terms, _around.Settings, fromLsn, ct);
            Acked(fromLsn - 1);
            LogStarted(_around.Log, _source.Channel, _task.TargetCluster, _source.Term, fromLsn, checkpoint is { Lsn: > 0 } ? "behind what the target has" : "where the task begins");
        }

        _logged = null;
        Stand(CdcPhase.Shipping);
    }

    private long ResumeLsn(ReplicateCheckpoint? checkpoint) => checkpoint is { Lsn: > 0 } ? checkpoint.Lsn + 1 : _task.StartLsn;

    /// <summary>
    /// A target that refuses this cluster may take one record all the same. One that has the configuration which ended the direction says so, as it does of every repeat: then its answer,
    /// or the report of it, was lost. And one that was never configured takes its first configuration from the cluster that this makes its source, where that is the first record to be sent.
    /// </summary>
    private async Task<(TargetAnswer Hello, bool Ended)> OfferAsync(TargetAnswer refused, CancellationToken ct)
    {
        if (!ReplicateRoles.TargetsOf(_source.Configuration(), _source.ClusterId).Contains(_task.TargetCluster, StringComparer.Ordinal) && await FindEndAsync(ct) is { } end)
        {
            var answer = await SendAsync([end], ct);
            if (answer.Outcome is TargetOutcome.Taken or TargetOutcome.Departed)
            {
                return (answer, answer.Outcome == TargetOutcome.Taken);
            }
        }

        if (_task.StartLsn == _task.ConfigLsn && await ReadOneAsync(_task.ConfigLsn, ct) is { } first)
        {
            var answer = await SendAsync([first], ct);
            return (answer switch
            {
                { Outcome: TargetOutcome.Departed } => answer,
                { Outcome: TargetOutcome.Taken, Response.Appended: 1 } => await SendAsync([], ct),
                _ => refused,
            }, false);
        }

        return (refused, false);
    }

    /// <summary>The configuration that ended the direction, where it is in the log. What was looked through is not looked through again.</summary>
    private async Task<ReadMessage?> FindEndAsync(CancellationToken ct)
    {
        var last = _source.LastDurableLsn();
        for (var fromLsn = Math.Max(_end.ThroughLsn, _task.ConfigLsn) + 1; _end.Record is null && fromLsn <= last;)
        {
            try
            {
                await foreach (var entry in _source.Log(fromLsn, last, ct))
                {
                    var ends = entry.Record.Type == WalRecordType.AlterReplicateConfig && DeliveryOrder.EndsDirection(entry.Record, _terms);
                    _end = (entry.Lsn, ends ? DeliveryOrder.Show(entry.Lsn, entry.Record) : null);
                    if (ends)
                    {
                        break;
                    }
                }

                break;
            }
            catch (WalTrimmedException e) when (e.FirstLsn > fromLsn)
            {
                fromLsn = e.FirstLsn;
            }
        }

        return _end.Record;
    }

    private async Task<ReadMessage?> ReadOneAsync(long lsn, CancellationToken ct)
    {
        try
        {
            await foreach (var entry in _source.Log(lsn, lsn, ct))
            {
                return DeliveryOrder.Show(entry.Lsn, entry.Record);
            }
        }
        catch (WalTrimmedException)
        {
            // Then it is not the first to be sent any more.
        }

        return null;
    }

    private async Task<TargetAnswer> SendAsync(IReadOnlyList<ReadMessage> messages, CancellationToken ct)
    {
        var answer = await _target.ReplicateAsync(messages, ct);
        if (answer.Outcome != TargetOutcome.Taken)
        {
            _around.Metrics.Cdc.SetBack(answer.Kind);
        }
        else if (messages.Count > 0)
        {
            _around.Metrics.Cdc.Taken(_source.Channel, _task.TargetCluster, answer.Response!.Appended, answer.Response.Ignored, messages.Sum(m => (long)m.Payload.Length));
        }

        return answer;
    }

    private void Acked(long throughLsn)
    {
        Volatile.Write(ref _movedAt, _around.Time.GetTimestamp());
        Volatile.Write(ref _ackedLsn, throughLsn);
        Volatile.Write(ref _headTick, 0);
    }

    /// <summary>Says why nothing is sent, once for each reason and not for each try.</summary>
    private void SetBack(Attempt attempt)
    {
        var answer = attempt.Answer!;
        Stand(attempt.Phase, answer.Reason);
        if (!string.Equals(_logged, answer.Kind, StringComparison.Ordinal))
        {
            _logged = answer.Kind;
            LogSetBack(_around.Log, _source.Channel, _task.TargetCluster, _source.Term, attempt.Phase, answer.Kind, answer.Reason);
        }
    }

    private async Task ForgetReaderAsync()
    {
        if (_reader is { } reader)
        {
            (_reader, _head) = (null, null);
            await reader.DisposeAsync();
        }
    }

    private static CdcPhase PhaseOf(TargetAnswer answer) => answer.Outcome == TargetOutcome.Retry ? CdcPhase.Connecting : CdcPhase.Refused;

    /// <param name="Phase">What it leaves the task in.</param>
    /// <param name="Answer">What was not taken; null where the direction has ended.</param>
    /// <param name="Progressed">Something was, before.</param>
    private sealed record Attempt(CdcPhase Phase, TargetAnswer? Answer, bool Progressed = false);
}
