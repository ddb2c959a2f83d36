using Baton.Core.Recovery;

namespace Baton.Core.Tests.Recovery;

/// <summary>A log, a replica and a keeper of pins, as a run meets them; each does what it is asked.</summary>
internal sealed class World(long committed, long flushed, long tail = 0, long snapshot = 0, long? common = null)
{
    /// <summary>What the replica has at an LSN: the log's record, or one of its own.</summary>
    private readonly Dictionary<long, RecordMark> _own = Enumerable.Range(0, (int)Math.Max(0, flushed - (common ?? flushed)))
        .ToDictionary(i => common!.Value + 1 + i, i => new RecordMark(7, i));

    private bool _rebuilding;
    private long _first = 1;

    public long Flushed { get; private set; } = flushed;

    public List<string> Pins { get; } = [];

    /// <summary>What it reports while it catches up or is rebuilt; the whole way at once where there is nothing left here.</summary>
    public Queue<long> Reports { get; } = new();

    /// <summary>The tick of the next answer.</summary>
    public long Tick { get; set; }

    /// <summary>Every record of the replica is the log's, through what is committed.</summary>
    public bool HasTheLog => Flushed == committed && _own.Count == 0;

    public RunStep Answer(RecoveryRun run)
    {
        var (kind, from, target, source) = run.Next;
        Tick++;
        switch (kind)
        {
            case RecoveryActionKind.Connect:
                return run.Connected(Tick);
            case RecoveryActionKind.Handshake:
                return run.Handshaken(new ReplicaPosition(Flushed, Record(Flushed), _first), new RetainedHistory(committed, tail, committed, snapshot, snapshot > 0), InLog(Flushed), Tick);
            case RecoveryActionKind.FindCommon:
                var last = Math.Min(common ?? Flushed, committed);
                return run.CommonFound(last > tail ? last : 0, Tick);
            case RecoveryActionKind.Pin:
                Pins.Add($"pin {from}-{target}");
                return run.Pinned(Tick);
            case RecoveryActionKind.Truncate:
                Flushed = target;
                _own.Clear();
                return run.Truncated(Flushed, Tick);
            case RecoveryActionKind.Rebuild when !_rebuilding:
                (_rebuilding, Flushed, _first) = (true, from - 1, from);
                _own.Clear();
                return run.Progressed(Flushed, 0, Tick);
            case RecoveryActionKind.CatchUp or RecoveryActionKind.Rebuild:
                Flushed = Reports.Count > 0 ? Reports.Dequeue() : target;
                return run.Progressed(Flushed, 10, Tick);
            case RecoveryActionKind.Verify:
                return run.Verified(Record(target), InLog(target), Tick);
            case RecoveryActionKind.Unpin:
                Pins.Add("unpin");
                return run.Unpinned();
            default:
                throw new InvalidOperationException($"{kind} {source}");
        }
    }

    private RecordMark? InLog(long lsn) => lsn > tail && lsn <= committed ? Recoveries.Mark(lsn) : null;

    private RecordMark? Record(long lsn) => lsn < _first || lsn > Flushed ? null : _own.GetValueOrDefault(lsn) ?? Recoveries.Mark(lsn);
}

/// <summary>Runs, step by step, each kept as JSON in between.</summary>
internal static class Runs
{
    public static RecoveryRun Of(ReplicaSender sender, long tick = 0) => RecoveryRun.Start(sender, tick);

    public static RecoveryRun Of(SessionKind kind, RecoveryBudget? budget = null) => Of(Recoveries.Sender().Attach(1, 1, kind, budget).Sender);

    public static RecoveryRun ToTheEnd(RecoveryRun run, World world, List<RecoveryEvent>? log = null)
    {
        for (var step = 0; !run.IsOver; step++)
        {
            Assert.True(step < 100, $"it never ends: {run.Next}");
            run = Once(run, world.Answer, log);
        }

        return run;
    }

    /// <summary>Goes on until something else is to be done.</summary>
    public static RecoveryRun Until(RecoveryActionKind kind, RecoveryRun run, World world, List<RecoveryEvent>? log = null)
    {
        while (run.Next.Kind != kind)
        {
            run = Once(run, world.Answer, log);
        }

        return run;
    }

    public static RecoveryRun Once(RecoveryRun run, Func<RecoveryRun, RunStep> step, List<RecoveryEvent>? log = null)
    {
        var kept = Recoveries.Kept(run);
        Assert.Equal(run, kept);
        Assert.Equal(run.Next, kept.Next);
        Assert.Equal(run.Deadline, kept.Deadline);
        var after = step(kept);
        log?.AddRange(after.Events);
        return after.Run;
    }
}
