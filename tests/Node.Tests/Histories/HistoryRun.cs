using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Histories;

/// <summary>Runs one history against a channel and the model side by side. After every step their answers, their states and what readers see are the same.</summary>
internal sealed class HistoryRun
{
    private static readonly long[] KeepalivesMs = [0, 1, 5, 20, 20, 100, 5_000, 5_000, 3_600_000, -1, 3_600_001, 50];
    private static readonly long[] ClockMovesMs = [1, 5, 20, 100, 5_000, 11_000, -1, -50, -3_600_000, 3_600_000, 1, 30];
    private static readonly long[] TakeoverMovesMs = [-3_600_000, 0, 50, 0];
    private static readonly int[] Pages = [1, 2, 3, 1_000];

    private readonly IHistorySubject _subject;
    private readonly ReferenceModel _model;
    private readonly Pair _pair;
    private readonly SourceStream _source = new();
    private readonly List<long> _begun = [];
    private readonly List<HistoryRequest.Control> _controls = [];
    private readonly Dictionary<string, long> _sequences = new(StringComparer.Ordinal);
    private bool _oldRefusesLocalWrites;
    private int _texts;

    private HistoryRun(IHistorySubject subject) => (_subject, _model, _pair) = (subject, new ReferenceModel(subject.Channel), Pair.Of(subject.Channel));

    /// <summary>Runs a history to its end.</summary>
    /// <exception cref="HistoryFailedException">The channel did something else than the model.</exception>
    public static async Task RunAsync(IHistorySubject subject, IReadOnlyList<HistoryStep> steps)
    {
        var run = new HistoryRun(subject);
        List<string> told = [];
        try
        {
            foreach (var step in steps)
            {
                told.Add(step.ToString());
                await run.StepAsync(step, told);
                await run.CheckAsync(step);
            }

            await run.CheckAllAsync();
        }
        catch (Exception e)
        {
            throw new HistoryFailedException($"{string.Join(Environment.NewLine, told)}{Environment.NewLine}{e.Message}", e);
        }
    }

    private async Task StepAsync(HistoryStep step, List<string> told)
    {
        switch (step.Kind)
        {
            case StepKind.Clock:
                _subject.ClockMs += ClockMovesMs[step.A % ClockMovesMs.Length];
                break;
            case StepKind.Snapshot:
                await _subject.SnapshotAsync();
                break;
            case StepKind.Restart:
                await _subject.RestartAsync();
                _model.NewLeader();
                break;
            case StepKind.Takeover:
                await TakeOverAsync(step);
                break;
            default:
                var request = Request(step);
                told.Add($"    at {_subject.ClockMs - MovableClock.StartMs} ms: {request}");
                await SendAsync(request);
                break;
        }
    }

    private async Task SendAsync(HistoryRequest request)
    {
        var answer = await _subject.SendAsync(request);
        await TakeTimeTicksAsync(long.MaxValue);
        var expected = _model.Answer(request, _subject.ClockMs);
        Same(expected, answer, $"the answer to {request}");
        if (request is HistoryRequest.Begin && expected.StartsWith("txn ", StringComparison.Ordinal))
        {
            _begun.Add(_model.Open[^1]);
        }
    }

    // The predecessor lives on and believes that it leads: what it shows was acknowledged, and it takes nothing more.
    private async Task TakeOverAsync(HistoryStep step)
    {
        var before = _model.LastLsn;
        var role = _model.Role;
        await _subject.TakeoverAsync();
        _subject.ClockMs += TakeoverMovesMs[step.A % TakeoverMovesMs.Length];
        _model.NewLeader();
        _oldRefusesLocalWrites = role == ClusterRole.Secondary;
        if (step.B % 2 == 0 && await _subject.ReadFromOldAsync(1, 2, Isolation.Committed) is { } first)
        {
            CheckPage(first, 1, 2, Isolation.Committed, before);

            // The clock has moved: the new leader may have ended by now what has expired.
            var rest = await _subject.ReadAsync(first.NextLsn, 1_000, Isolation.Committed);
            await TakeTimeTicksAsync(rest.LastLsn);
            CheckPage(rest, first.NextLsn, 1_000, Isolation.Committed, rest.LastLsn);
        }

        if (step.C % 3 > 0 && await _subject.SendToOldAsync(new HistoryRequest.Append(null, [$"late {_texts++}"], null)) is { } answer)
        {
            Same(AnswerText.Error(_oldRefusesLocalWrites ? ApiErrorCode.ReplicateViolation : ApiErrorCode.NotLeader), answer, "the answer of the old leader");
        }
    }

    /// <summary>The request of a step. Most are such as the channel's role takes, some are not.</summary>
    private HistoryRequest Request(HistoryStep step)
    {
        var kind = (_model.Role == ClusterRole.Secondary, step.Kind) switch
        {
            (true, StepKind.Append or StepKind.Begin or StepKind.Body or StepKind.Commit or StepKind.Rollback) when step.C % 4 != 0 => StepKind.Replicate,
            (false, StepKind.Replicate) when step.C % 4 != 0 => StepKind.Append,
            (_, var same) => same,
        };
        return kind switch
        {
            StepKind.Append => new HistoryRequest.Append(null, Texts(step.B), Producer(step)),
            StepKind.Begin => new HistoryRequest.Begin(KeepalivesMs[step.A]),
            StepKind.Body => new HistoryRequest.Append(Transaction(step), Texts(step.A), step.B % 2 == 0 ? null : Producer(step)),
            StepKind.Commit => new HistoryRequest.End(Transaction(step), Commit: true),
            StepKind.Rollback => new HistoryRequest.End(Transaction(step), Commit: false),
            StepKind.Replicate => new HistoryRequest.Replicate(_source.Next(step)),
            _ => Control(step, kind == StepKind.Configure),
        };
    }

    private string[] Texts(int number) => [.. Enumerable.Range(0, number == 11 ? 0 : 1 + (number % 3)).Select(_ => $"m{_texts++}")];

    private ProducerStamp? Producer(HistoryStep step)
    {
        if (step.A % 3 == 0)
        {
            return null;
        }

        var id = $"p{step.A % 3}";
        var last = _sequences.GetValueOrDefault(id);
        var repeat = step.C % 4 == 1;
        _sequences[id] = repeat ? last : last + 1;
        return new ProducerStamp(id, repeat ? Math.Max(0, last - (step.B % 7)) : last + 1);
    }

    private long Transaction(HistoryStep step)
    {
        var from = step.C % 3 != 0 && _model.Open.Count > 0 ? _model.Open : _begun;
        return from.Count == 0 || step.B == 11 ? 5 : from[^(1 + (step.B % from.Count))];
    }

    private HistoryRequest.Control Control(HistoryStep step, bool configure)
    {
        if (step.C % 5 == 4 && _controls.Count > 0)
        {
            return _controls[step.B % _controls.Count];
        }

        // Ids rise, but for some that come late.
        var id = step.B == 10 ? Math.Max(1, (100 * _controls.Count) - 150) + step.A : 100 * (_controls.Count + 1);
        var control = new HistoryRequest.Control(id, configure ? Change(step) : null);
        _controls.Add(control);
        return control;
    }

    private AlterReplicateConfig Change(HistoryStep step)
    {
        var ignored = step.C == 11;
        return step.A switch
        {
            < 5 => new AlterReplicateConfig(_pair.Replicating, Ignored: ignored),
            < 9 => new AlterReplicateConfig(_pair.Alone, Forced: true, ignored),
            9 => new AlterReplicateConfig(_pair.Alone, Ignored: ignored),
            10 => new AlterReplicateConfig(_pair.Replicated, Ignored: ignored),
            _ => new AlterReplicateConfig(_pair.Replicating, Forced: true, ignored),
        };
    }

    private async Task CheckAsync(HistoryStep step)
    {
        var (state, lastLsn) = await _subject.StateAsync();
        await TakeTimeTicksAsync(lastLsn);
        Same(_model.State, state, "the state");

        var from = 1 + ((step.B * 7) % (_model.LastLsn + 2));
        var (max, isolation) = (Pages[step.A % Pages.Length], step.C % 3 == 0 ? Isolation.All : Isolation.Committed);
        var page = await _subject.ReadAsync(from, max, isolation);
        await TakeTimeTicksAsync(page.LastLsn);
        CheckPage(page, from, max, isolation, page.LastLsn);
    }

    private async Task CheckAllAsync()
    {
        foreach (var isolation in new[] { Isolation.All, Isolation.Committed })
        {
            foreach (var max in new[] { 1_000, 3 })
            {
                await CheckFromAsync(1 + (max == 3 ? _model.LastLsn / 2 : 0), max, isolation);
            }
        }

        var ticks = _model.Log.Select(m => m.TimeTick).ToArray();
        Assert.True(ticks.Zip(ticks.Skip(1)).All(t => t.First < t.Second), "time ticks rise");
        Assert.DoesNotContain(ticks, t => t >= 1L << 53);
    }

    /// <summary>Pages through to the end.</summary>
    private async Task CheckFromAsync(long from, int max, Isolation isolation)
    {
        for (long last; from <= _model.LastLsn; from = last)
        {
            var page = await _subject.ReadAsync(from, max, isolation);
            await TakeTimeTicksAsync(page.LastLsn);
            CheckPage(page, from, max, isolation, page.LastLsn);
            last = page.NextLsn;
        }
    }

    /// <summary>A page shows all that there is from its first LSN to its next, moves on, and stops early only because it is full.</summary>
    private void CheckPage(ReadResponse page, long from, int max, Isolation isolation, long lastLsn)
    {
        var what = $"{isolation} from {from}, at most {max}, through {lastLsn}, next {page.NextLsn}";
        Same(lastLsn.ToString(), page.LastLsn.ToString(), $"the end of {what}");
        if (from > lastLsn)
        {
            Same($"nothing, next {from}", page.Messages.Count == 0 ? $"nothing, next {page.NextLsn}" : "something", what);
            return;
        }

        Assert.True(page.NextLsn > from && page.NextLsn <= lastLsn + 1, $"the page moves on: {what}");
        Same(string.Join(Environment.NewLine, _model.View(isolation, from, page.NextLsn - 1)), string.Join(Environment.NewLine, page.Messages.Select(AnswerText.Shown)), what);
        Assert.True(page.Messages.Count <= max || ReferenceModel.IsOneCommit(page.Messages), $"{page.Messages.Count} messages: {what}");
        if (page.NextLsn <= lastLsn)
        {
            var more = _model.View(isolation, from, page.NextLsn).Count;
            Assert.True(page.Messages.Count > 0 && more > max, $"only {page.Messages.Count} messages: {what}");
        }
    }

    /// <summary>Takes up time ticks that the leader has written by itself, at most through an LSN.</summary>
    private async Task TakeTimeTicksAsync(long through)
    {
        if (through <= _model.LastLsn)
        {
            return;
        }

        foreach (var record in (await _subject.ReadAsync(_model.LastLsn + 1, 1_000, Isolation.All)).Messages.TakeWhile(m => m.Type == WalRecordType.TimeTick && m.Lsn <= through))
        {
            _model.TakeTimeTick(record, _subject.ClockMs);
        }
    }

    private static void Same(string expected, string actual, string what) =>
        Assert.True(expected == actual, $"{what}{Environment.NewLine}should be {expected}{Environment.NewLine}and is    {actual}");
}

/// <summary>A history that did not come out as the model says, told step by step.</summary>
internal sealed class HistoryFailedException(string message, Exception inner) : Exception(message, inner);
