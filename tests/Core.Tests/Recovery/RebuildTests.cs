using Baton.Core.Cluster;
using Baton.Core.Recovery;
using static Baton.Core.Tests.Recovery.Recoveries;

namespace Baton.Core.Tests.Recovery;

/// <summary>A new copy in the place of one that cannot be mended.</summary>
public sealed class RebuildTests
{
    private static readonly RetainedHistory WithSnapshot = Log(30, 100, 100, 50, trusted: true);
    private readonly LiveSender _sender = new();

    [Fact]
    public void RC61_A_rebuild_takes_no_step_of_a_catch_up()
    {
        var id = _sender.Connecting(SessionKind.Rebuild);
        Assert.Equal("not a catch-up session", _sender.Do(s => s.RecordHandshake(id, Replica(100), Log(100), 100)));
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, 0, 100)));

        Assert.Equal("not a catch-up session", _sender.Do(s => s.BeginCatchUp(id, 0)));
        Assert.Equal("not a catch-up session", _sender.Do(s => s.RecordProgress(id, 50)));
        Assert.Equal("truncation not required", _sender.Do(s => s.RecordTruncation(id, 100)));
        Assert.Equal("completion rejected", _sender.Do(s => s.CompleteSession(id)));
    }

    [Fact]
    public void RC62_From_a_snapshot_and_the_tail_behind_it()
    {
        var id = _sender.Rebuilding(WithSnapshot);
        Assert.Equal((RebuildSource.SnapshotTail, 50, 100), (_sender.Session.Rebuild!.Source, _sender.Session.Rebuild.BaseLsn, _sender.Session.Rebuild.TargetLsn));

        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 50)));
        Assert.Equal("not ready", _sender.Do(s => s.CompleteRebuild(id)));
        Assert.Null(_sender.Do(s => s.BeginTailReplay(id)));
        Assert.Equal("transfer regression", _sender.Do(s => s.RecordTail(id, 50)));
        Assert.Null(_sender.Do(s => s.RecordTail(id, 99)));
        Assert.Equal("not ready", _sender.Do(s => s.CompleteRebuild(id)));
        Assert.Null(_sender.Do(s => s.RecordTail(id, 100)));
        Assert.Equal(ReplicaProgress.NeedsRebuild, _sender.Now.State);
        Assert.Null(_sender.Do(s => s.CompleteRebuild(id)));

        Assert.Equal((ReplicaProgress.InSync, null), (_sender.Now.State, _sender.Now.Session));
    }

    [Fact]
    public void RC63_From_the_whole_log()
    {
        var id = _sender.Rebuilding(Log(100));

        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 60)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginTailReplay(id)));
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordTail(id, 100)));
        Assert.Equal("not ready", _sender.Do(s => s.CompleteRebuild(id)));
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteRebuild(id)));

        Assert.True(_sender.Now.IsInSync);
    }

    [Fact]
    public void RC64_The_tail_waits_for_the_whole_snapshot()
    {
        var id = _sender.Rebuilding(WithSnapshot);
        Assert.Equal("base transfer incomplete", _sender.Do(s => s.BeginTailReplay(id)));
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 30)));

        Assert.Equal("base transfer incomplete", _sender.Do(s => s.BeginTailReplay(id)));
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordTail(id, 60)));
    }

    [Fact]
    public void RC65_A_transfer_only_grows()
    {
        var id = _sender.Rebuilding(WithSnapshot);
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 50)));

        Assert.Equal("transfer regression", _sender.Do(s => s.RecordTransfer(id, 30)));
        Assert.Equal("transfer regression", _sender.Do(s => s.RecordTransfer(id, 50)));
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 51)));
    }

    [Fact]
    public void RC66_Steps_out_of_their_order_are_refused()
    {
        var id = _sender.Connecting(SessionKind.Rebuild);
        Assert.Equal("wrong phase", _sender.Do(s => s.SelectSource(id, WithSnapshot)));
        Assert.Null(_sender.Do(s => s.RecordHandshake(id, 0, 100)));

        Assert.Equal("wrong phase", _sender.Do(s => s.BeginTransfer(id, 0)));
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordTransfer(id, 50)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginTailReplay(id)));
        Assert.Equal("not ready", _sender.Do(s => s.CompleteRebuild(id)));
        Assert.Null(_sender.Do(s => s.SelectSource(id, WithSnapshot)));
        Assert.Equal("wrong phase", _sender.Do(s => s.SelectSource(id, WithSnapshot)));
        Assert.Equal("wrong phase", _sender.Do(s => s.RecordTransfer(id, 50)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginTailReplay(id)));
        Assert.Null(_sender.Do(s => s.BeginTransfer(id, 0)));
        Assert.Equal("wrong phase", _sender.Do(s => s.BeginTransfer(id, 0)));
    }

    [Theory]
    [InlineData(30, 50, true, RebuildSource.SnapshotTail)]
    [InlineData(80, 50, true, RebuildSource.FullBase)]
    [InlineData(30, 50, false, RebuildSource.FullBase)]
    [InlineData(30, 0, false, RebuildSource.FullBase)]
    public void RC69_The_source_is_what_the_log_and_its_snapshot_allow(long tail, long snapshot, bool trusted, RebuildSource source)
    {
        var id = _sender.Handshaken(0, 100, SessionKind.Rebuild);

        Assert.Null(_sender.Do(s => s.SelectSource(id, Log(tail, 100, 100, snapshot, trusted))));

        Assert.Equal((source, 100, RebuildPhase.SourceSelect), (_sender.Session.Rebuild!.Source, _sender.Session.Rebuild.TargetLsn, _sender.Session.Rebuild.Phase));
    }

    [Fact]
    public void RM5_Even_a_copy_of_nothing_is_whole_only_when_the_old_one_is_gone()
    {
        var id = _sender.Rebuilding(Log(0));

        Assert.Equal("not ready", _sender.Do(s => s.CompleteRebuild(id)));
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 0)));
        Assert.Null(_sender.Do(s => s.CompleteRebuild(id)));
    }

    [Fact]
    public void A_rebuild_that_ends_early_leaves_a_copy_that_needs_one()
    {
        var id = _sender.Rebuilding(WithSnapshot);
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 50)));

        _sender.Become(s => s.UpdateEpoch(2));

        Assert.Equal((ReplicaProgress.NeedsRebuild, RebuildPhase.Aborted), (_sender.Now.State, _sender.Session.Rebuild!.Phase));
    }

    [Fact]
    public void RM7_Only_a_rebuild_leads_out_of_needing_one()
    {
        var early = _sender.Connecting();
        _sender.Step(s => s.RecordHandshake(early, Replica(10), Log(49, 100, 100), 10));
        Assert.Equal(ReplicaProgress.NeedsRebuild, _sender.Now.State);

        Assert.All(Enum.GetValues<SessionKind>().Except([SessionKind.Rebuild]), kind =>
        {
            Assert.Equal("needs rebuild", _sender.Do(s => s.Attach(9, 1, kind)));
            Assert.Equal("needs rebuild", _sender.Do(s => s.Supersede(9, kind)));
        });
        _sender.Become(s => s.UpdateEndpoint(Endpoint(version: 2)));
        _sender.Become(s => s.UpdateEpoch(2));
        Assert.Equal(ReplicaProgress.NeedsRebuild, _sender.Now.State);

        var id = _sender.Rebuilding(Log(100));
        Assert.Null(_sender.Do(s => s.RecordTransfer(id, 100)));
        Assert.Null(_sender.Do(s => s.CompleteRebuild(id)));
        Assert.Equal(ReplicaProgress.InSync, _sender.Now.State);
    }
}
