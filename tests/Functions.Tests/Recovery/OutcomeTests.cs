using Baton.Core.Cluster;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>What a session does for a replica, by what the replica has and what the log has.</summary>
public sealed class OutcomeTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task RC71_A_replica_that_has_everything_is_in_sync_without_a_pin_and_without_a_transfer()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(100);
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(["session_created kind=bootstrap", "connected", "handshake outcome=zero_gap", "completed zero_gap"], await plane.EventTextsAsync());
        Assert.Equal(["connect", "handshake", "release"], plane.Node("n2").Calls.Select(c => c.Verb).Where(v => v != "health"));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC70_RC82_A_replica_that_lacks_records_fetches_them_under_one_pin_and_the_log_has_it_all_in_order()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Log().FirstLsn = 31;
        plane.Replica().Holding(70).PerOrder = 13;
        await plane.BeatRecoveriesAsync();
        IReadOnlyList<Storage.Wal.WalPin> meanwhile = [];
        plane.Node("n2").Intercept = async call =>
        {
            meanwhile = call.Verb == "catch-up" ? await plane.PinsAsync() : meanwhile;
            return null;
        };

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(("recovery-n2", 71), (Assert.Single(meanwhile).Id, meanwhile[0].FromLsn));
        Assert.Equal(
            [
                "session_created kind=bootstrap", "connected", "handshake outcome=catchup", "history_pinned from=71 target=100", "catchup_started target=100 start=70", "completed in_sync", "pins_released",
            ],
            await plane.EventTextsAsync());
        Assert.Equal(3, plane.Node("n2").Of("catch-up").Count);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RM10_A_diverged_tail_is_found_by_halving_cut_at_the_last_common_record_and_fetched_anew()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(63, foreignTo: 100);
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.InRange(plane.Node("n2").Of("position").Count, 2, 9);
        var texts = await plane.EventTextsAsync();
        Assert.Contains("truncation_recorded truncated_to=63", texts);
        Assert.Equal(["catchup_started target=100 start=63", "truncation_recorded truncated_to=63", "completed in_sync", "pins_released"], texts.TakeLast(4));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_ahead_of_what_is_committed_is_cut_and_fetches_nothing()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Log().HeadLsn = 105;
        plane.Replica().Holding(105);
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(100, plane.Replica().FlushedLsn);
        Assert.Empty(plane.Node("n2").Of("catch-up"));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC62_What_the_log_does_not_retain_needs_a_rebuild_which_the_next_sweep_makes_from_snapshot_and_tail()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        (plane.Log().FirstLsn, plane.Log().SnapshotLsn, plane.Log().SnapshotVerified) = (31, 50, true);
        plane.Replica().Holding(20).PerOrder = 20;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();
        Assert.Equal(ReplicaProgress.NeedsRebuild, (await plane.SenderAsync())!.State);
        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(51, plane.Replica().FirstLsn);
        Assert.Equal(
            ["session_created kind=rebuild", "rebuild_connected", "rebuild_source_selected kind=snapshot_tail", "history_pinned from=51 target=100", "rebuild_completed in_sync", "pins_released"],
            await plane.EventTextsAsync(2));
        await plane.AssertSoundAsync();
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(50, false)]
    [InlineData(20, true)]
    public async Task RC63_RC69_Without_a_snapshot_that_serves_the_new_copy_is_made_from_all_that_is_retained(long snapshot, bool verified)
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        (plane.Log().FirstLsn, plane.Log().SnapshotLsn, plane.Log().SnapshotVerified) = (31, snapshot, verified);
        plane.Replica().Holding(20).State = Core.Api.FollowState.NeedsRebuild;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(31, plane.Replica().FirstLsn);
        Assert.Contains("rebuild_source_selected kind=full_base", await plane.EventTextsAsync());
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC72_A_pin_that_is_refused_ends_the_session_and_nothing_is_fetched()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70);
        await plane.BeatRecoveriesAsync();

        // The manifest holds as many pins as it may.
        for (var i = 0; i < 256; i++)
        {
            await plane.Get<Storage.Wal.WalStore>().PinAsync("ch1", $"other-{i}", 1, TimeSpan.FromHours(1), default);
        }

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.StartsWith("pin_failed ", (await plane.EventTextsAsync())[^1], StringComparison.Ordinal);
        Assert.Empty(plane.Node("n2").Of("catch-up"));
        Assert.DoesNotContain(await plane.PinsAsync(), p => p.Id == "recovery-n2");
    }

    [Fact]
    public async Task RC75_A_replica_that_tells_more_than_it_was_asked_for_is_not_believed()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70).PerOrder = 10;
        plane.Replica().Doctor = (step, answer) => answer is Core.Api.ReplicaCatchUpResponse { FlushedLsn: >= 90 } said ? said with { FlushedLsn = 101 } : answer;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.StartsWith("catchup_progress_failed exceeds frozen target", (await plane.EventTextsAsync())[^2], StringComparison.Ordinal);
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task A_replica_whose_last_record_is_not_the_logs_is_not_called_in_sync_whatever_it_says()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(70);
        plane.Replica().Doctor = (step, answer) => answer is Core.Api.ReplicaPositionResponse said ? said with { Crc = 1 } : answer;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.Equal(ReplicaProgress.Disconnected, (await plane.SenderAsync())!.State);
        Assert.Contains("completion_rejected the record at LSN 100 is not the log's", await plane.EventTextsAsync());
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RC56_A_replica_that_cuts_elsewhere_may_still_cut_where_it_must()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(63, foreignTo: 100);
        var wrong = 2;
        plane.Replica().Doctor = (step, answer) => step == "truncate" && wrong-- > 0 ? ((Core.Api.ReplicaHandshakeResponse)answer) with { FlushedLsn = 70 } : answer;
        await plane.BeatRecoveriesAsync();

        await plane.RecoverAsync();

        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal(2, (await plane.EventTextsAsync()).Count(e => e == "truncation_failed LSN mismatch: cut to 70"));
    }
}
