using Baton.Core.Cluster;
using Baton.Core.Recovery;
using FsCheck;
using FsCheck.Fluent;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>Any replica and any log, with anything going wrong at any step.</summary>
public sealed class RecoveryRunProperties
{
    /// <summary>What a run meets.</summary>
    private sealed record Story(SessionKind Kind, int Committed, int Flushed, int Tail, int Snapshot, int Common, long[] Reports, int[] Luck)
    {
        public World World()
        {
            var world = new World(Committed, Flushed, Tail, Snapshot, Common);
            Reports.ToList().ForEach(world.Reports.Enqueue);
            return world;
        }

        public override string ToString() => Json(this);
    }

    private static readonly Gen<Story> Stories =
        from kind in Gen.Elements(SessionKind.Catchup, SessionKind.Rebuild)
        from committed in Gen.Choose(0, 12)
        from flushed in Gen.Choose(0, 14)
        from tail in Gen.Frequency((1, Gen.Constant(0)), (1, Gen.Choose(0, committed)))
        from snapshot in Gen.Choose(0, committed)
        from common in Gen.Frequency((1, Gen.Choose(0, flushed)), (1, Gen.Constant(flushed)))
        from reports in Gen.Choose(0, committed).ArrayOf()
        from luck in Gen.Choose(0, 23).ArrayOf(40)
        select new Story(kind, committed, flushed, tail, snapshot, common, [.. reports.Order().Select(r => (long)r)], luck);

    [Fact]
    public void Undisturbed_a_run_ends_in_sync_with_every_record_of_the_log_or_asks_for_a_rebuild() => Check(story =>
    {
        // Reports below where the replica stood are what no replica sends.
        var world = (story with { Reports = [] }).World();
        var run = Runs.ToTheEnd(Runs.Of(story.Kind), world);

        Assert.True(!run.Sender.IsInSync || world.HasTheLog);
        Assert.True(run.Sender.IsInSync || (story.Kind != SessionKind.Rebuild && run.Sender.State == ReplicaProgress.NeedsRebuild));
    });

    [Fact]
    public void Whatever_happens_no_replica_is_in_sync_that_lacks_a_record_or_has_another() => Check(story =>
    {
        var world = story.World();
        var run = Disturbed(story, world, []);

        Assert.True(!run.Sender.IsInSync || world.HasTheLog);
    });

    [Fact]
    public void Whatever_happens_a_pin_is_taken_at_most_once_and_released_exactly_once() => Check(story =>
    {
        var (world, log) = (story.World(), new List<RecoveryEvent>());
        var run = Disturbed(story, world, log);

        Assert.True(run.IsOver);
        Assert.InRange(world.Pins.Count(p => p != "unpin"), 0, 1);
        Assert.True(world.Pins.Count(p => p != "unpin") <= world.Pins.Count(p => p == "unpin"), "a pin was left behind");
        Assert.InRange(world.Pins.Count(p => p == "unpin"), 0, 1);
        Assert.Equal(world.Pins.Count(p => p == "unpin"), log.Count(e => e.Event == RecoveryEvents.PinsReleased));
    });

    [Fact]
    public void Whatever_happens_a_session_ends_once_and_after_it_only_the_pin_is_released() => Check(story =>
    {
        var log = new List<RecoveryEvent>();

        // Without 7 and 8, which are refused and leave the session as it was.
        Disturbed(story with { Luck = [.. story.Luck.Where(l => l is not (7 or 8))] }, story.World(), log);

        string[] progress =
        [
            RecoveryEvents.Connected, RecoveryEvents.RebuildConnected, RecoveryEvents.Handshake, RecoveryEvents.RebuildSourceSelected, RecoveryEvents.HistoryPinned, RecoveryEvents.CatchupStarted,
            RecoveryEvents.TruncationRecorded, RecoveryEvents.PinsReleased,
        ];
        var ends = log.Select(e => e.Event).Where(e => !progress.Contains(e)).ToList();
        Assert.Single(ends);
        Assert.True(log.FindIndex(e => e.Event == ends[0]) >= log.Count - 2);
        Assert.True(log[^1].Event == ends[0] || log[^1].Event == RecoveryEvents.PinsReleased);
    });

    [Fact]
    public void What_is_left_of_a_run_as_JSON_goes_on_like_the_run() => Check(story =>
    {
        var (whole, kept) = (new List<RecoveryEvent>(), new List<RecoveryEvent>());
        var end = Disturbed(story, story.World(), whole, keep: false);

        Assert.Equal(end, Disturbed(story, story.World(), kept));
        Assert.Equal(whole, kept);
    });

    private static RecoveryRun Disturbed(Story story, World world, List<RecoveryEvent> log, bool keep = true)
    {
        var run = Runs.Of(story.Kind, new RecoveryBudget(MaxDuration: 60, MaxStall: 20));
        for (var at = 0; !run.IsOver; at++)
        {
            Assert.True(at < 200, $"it never ends: {run.Next}");
            var luck = at < story.Luck.Length ? story.Luck[at] : 23;
            Func<RecoveryRun, RunStep> step = run.Next.Kind == RecoveryActionKind.Unpin && luck is not 0 ? world.Answer : luck switch
            {
                0 => r => r.Cancel(),
                1 => r => r.BumpEpoch(2),
                2 => r => r.Refused("drawn", world.Tick),
                3 => r => r.Waited(world.Tick += 15),
                4 => r => r.ReleaseRetention(),
                5 => Lost(world),
                6 => Twice(world),
                7 => r => r.Verified(null, null, world.Tick),
                8 => r => r.Truncated(13, world.Tick),
                9 => r => r.ChangeEndpoint(Endpoint(version: 2)),
                _ => world.Answer,
            };
            run = Step(run, step);
        }

        return run;

        RecoveryRun Step(RecoveryRun from, Func<RecoveryRun, RunStep> step)
        {
            if (keep)
            {
                return Runs.Once(from, step, log);
            }

            var after = step(from);
            log.AddRange(after.Events);
            return after.Run;
        }
    }

    // It was done, and the answer was lost: the run hears nothing and asks again. A pin is asked for by name, so that asking again takes no second one.
    private static Func<RecoveryRun, RunStep> Lost(World world) => r =>
    {
        if (r.Next.Kind == RecoveryActionKind.Pin)
        {
            return r.Cancel();
        }

        world.Answer(r);
        return r.Waited(world.Tick);
    };

    private static Func<RecoveryRun, RunStep> Twice(World world) => r =>
    {
        var first = world.Answer(r);
        var tick = world.Tick;
        var second = r.Next.Kind switch
        {
            RecoveryActionKind.Connect => first.Run.Connected(tick),
            RecoveryActionKind.Pin => first.Run.Pinned(tick),
            RecoveryActionKind.Truncate => first.Run.Truncated(r.Next.TargetLsn, tick),
            RecoveryActionKind.CatchUp or RecoveryActionKind.Rebuild => first.Run.Progressed(world.Flushed, 10, tick),
            RecoveryActionKind.Unpin => first.Run.Unpinned(),
            _ => null,
        };
        Assert.True(second is null || (second.Run == first.Run && second.Events.Count == 0), $"{r.Next} counted twice");
        return first;
    };

    private static void Check(Action<Story> holds) => Prop.ForAll(Stories.ToArbitrary(), story =>
    {
        holds(story);
        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));
}
