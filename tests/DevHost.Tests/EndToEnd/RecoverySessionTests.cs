using System.Globalization;
using System.Text;
using Baton.Core.Recovery;
using Baton.Core.Wal;
using Baton.DevHost.Clusters;
using Baton.Storage.Replicas;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>
/// Recovery sessions of real processes: real nodes, the real control plane, real files and blobs. Whatever was wrong with a replica, and whoever died meanwhile: in the end it is in sync, what it has is what
/// the log has, and nothing of the log is kept for a session any more.
/// </summary>
public sealed partial class RecoverySessionTests(RecoveryCluster fixture, ITestOutputHelper output) : IClassFixture<RecoveryCluster>
{
    private LocalCluster Cluster => fixture.Cluster;

    /// <summary>The scenarios' channel, but for one.</summary>
    private string Channel => Cluster.Channels[0];

    /// <summary>One with so few records that it has no snapshot.</summary>
    private string YoungChannel => Cluster.Channels[1];

    [Fact]
    public async Task Every_replica_of_a_new_channel_becomes_in_sync_by_a_session()
    {
        await fixture.WholeAsync();
        const string channel = "a-new";
        await fixture.Client.CreateChannelAsync(channel, RecoveryCluster.Nodes, CancellationToken.None);
        await fixture.Client.WaitUntilServingAsync([channel], RecoveryCluster.Patience, CancellationToken.None);
        var last = await fixture.WriteAsync(channel, 20);

        await fixture.InSyncAsync(channel);

        await fixture.FollowedAsync(channel, last);
        foreach (var replica in (await fixture.NodesAsync(channel)).Replicas)
        {
            await fixture.AssertCopyAsync(channel, replica, last);
            Assert.Equal("sender_added", (await fixture.LoggedAsync(channel, replica))[0].Event);
            var events = await EndedAsync(0, channel, replica);
            Assert.Equal("session_created", events[0].Event);
            Assert.Contains(events, e => e.Event == "completed");
        }
    }

    /// <summary>It fetches them by itself or as its session tells it to, whichever comes first; only the session makes it in sync.</summary>
    [Fact]
    public async Task A_replica_whose_node_was_down_while_thousands_of_records_were_written_has_them_when_it_is_in_sync()
    {
        var events = await AfterAwayAsync(Channel, _ => fixture.WriteAsync(Channel, 5000));

        Assert.Equal("completed", events.Last(e => e.SessionId > 0 && e.Event != "pins_released").Event);
        Assert.DoesNotContain(events, e => e.Event is "truncation_recorded" or "rebuild_source_selected");
    }

    /// <summary>With the log unchanged since; and with other records in it where the replica's own are, and thousands behind them.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    public async Task A_replica_with_records_that_the_log_does_not_have_is_cut_to_the_last_record_in_common_and_fetches_what_follows(int writtenMeanwhile)
    {
        await fixture.WholeAsync();
        await fixture.FollowedAsync(Channel, await fixture.WriteAsync(Channel, 10));
        var (common, last) = (0L, 0L);

        var events = await AfterAwayAsync(Channel, async node =>
        {
            common = await AddForeignRecordsAsync(Channel, node, 30);
            return last = writtenMeanwhile == 0 ? common : await fixture.WriteAsync(Channel, writtenMeanwhile);
        });

        Assert.Equal($"truncated_to={common}", events.Single(e => e.Event == "truncation_recorded").Detail);
        var started = events.Single(e => e.Event == "catchup_started");
        Assert.Equal(common, Number(started.Detail, "start="));
        Assert.True(Number(started.Detail, "target=") >= last, started.Detail);
        Assert.Equal(writtenMeanwhile > 0, events.Any(e => e.Event == "history_pinned"));
    }

    [Fact]
    public async Task A_replica_that_lacks_records_which_are_deleted_gets_a_new_copy_behind_the_snapshot()
    {
        await fixture.WholeAsync();
        await fixture.FollowedAsync(Channel, await fixture.WriteAsync(Channel, 10));

        var events = await AfterAwayAsync(Channel, async _ =>
        {
            var last = await fixture.WriteAsync(Channel, 1);
            var lacks = last;
            await ClusterClient.UntilAsync(
                "what it lacks is deleted",
                async () =>
                {
                    last = await fixture.WriteAsync(Channel, RecoveryCluster.SnapshotEvery, bytes: 32 * 1024);
                    return (await fixture.ManifestAsync(Channel)).FirstLsn > lacks;
                },
                RecoveryCluster.Patience,
                CancellationToken.None);
            return last;
        });

        Assert.Contains(events, e => e is { Event: "rebuild_source_selected", Detail: "kind=snapshot_tail" });
        Assert.Contains(events, e => e.Event == "rebuild_completed");
    }

    [Fact]
    public async Task A_replica_that_has_nothing_in_common_with_the_log_gets_a_new_copy_of_all_of_it_where_there_is_no_snapshot()
    {
        await fixture.WholeAsync();
        var last = await fixture.WriteAsync(YoungChannel, 40);
        Assert.Equal(0, (await fixture.ManifestAsync(YoungChannel)).SnapshotLsn);

        var events = await AfterAwayAsync(YoungChannel, async node =>
        {
            await AddForeignRecordsAsync(YoungChannel, node, 10, insteadFrom: last - 20);
            return last;
        });

        Assert.Contains(events, e => e is { Event: "rebuild_source_selected", Detail: "kind=full_base" });
        Assert.Contains(events, e => e.Event == "rebuild_completed");
    }

    /// <summary>As a run leaves it that is lost after its session was ended from outside.</summary>
    [Fact]
    public async Task A_hold_on_the_log_that_a_lost_run_has_left_is_let_go_of_by_the_next_session_also_where_that_fetches_nothing()
    {
        await fixture.WholeAsync();
        await fixture.FollowedAsync(YoungChannel, await fixture.WriteAsync(YoungChannel, 1));

        await AfterAwayAsync(YoungChannel, async node =>
        {
            var manifest = await fixture.ManifestAsync(YoungChannel);
            await fixture.Logs.PinAsync(YoungChannel, $"recovery-{Cluster.NodeId(node)}", manifest.FirstLsn, TimeSpan.FromHours(1), CancellationToken.None);
            return manifest.FirstLsn;
        });

        Assert.Empty(await fixture.PinsAsync(YoungChannel));
    }

    [Fact]
    public async Task A_catch_up_whose_leader_dies_ends_and_another_session_at_the_next_term_brings_the_replica_back()
    {
        var reason = await InTheMiddleAsync(async (_, leader) => await Cluster.KillNodeAsync(leader), "epoch_advanced_to_");

        output.WriteLine(reason);
    }

    [Fact]
    public async Task A_catch_up_whose_node_dies_ends_and_another_session_in_its_next_life_brings_the_replica_back()
    {
        var reason = await InTheMiddleAsync(
            async (node, _) =>
            {
                await Cluster.KillNodeAsync(node);
                await fixture.StartNodeAsync(node);
            },
            "endpoint_changed");

        output.WriteLine(reason);
    }

    /// <summary>Takes a replica's node away, and has it back.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="meanwhile">What happens while it is away; gives the last LSN that the replica must have in the end.</param>
    /// <returns>What its recovery wrote down.</returns>
    private async Task<IReadOnlyList<RecoveryLogged>> AfterAwayAsync(string channel, Func<int, Task<long>> meanwhile)
    {
        await fixture.WholeAsync();
        var node = (await fixture.NodesAsync(channel)).Replicas[0];
        var session = await fixture.LastSessionAsync(channel, node);
        await Cluster.KillNodeAsync(node);
        var through = await meanwhile(node);

        await fixture.StartNodeAsync(node);

        await fixture.InSyncAsync(channel);
        await fixture.AssertCopyAsync(channel, node, through);
        return await EndedAsync(session, channel, node);
    }

    /// <summary>Has something happen while a session catches up. One that was faster than whoever looked is no such session: then it is tried again.</summary>
    /// <param name="happens">What: to the replica's node and the leader.</param>
    /// <param name="endsWith">How the reason begins for which the session ends.</param>
    /// <returns>The reason.</returns>
    private async Task<string> InTheMiddleAsync(Func<int, int, Task> happens, string endsWith)
    {
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await fixture.WholeAsync();
            var (leader, replicas, _) = await fixture.NodesAsync(Channel);
            var node = replicas[0];
            var before = await fixture.LastSessionAsync(Channel, node);
            await Cluster.KillNodeAsync(node);
            await AddForeignRecordsAsync(Channel, node, 30);
            var last = await fixture.WriteAsync(Channel, 5000);
            await fixture.StartNodeAsync(node);
            var session = await RunsAsync(node, before, SessionPhase.Catchup);

            await happens(node, leader);

            await fixture.WholeAsync();
            await fixture.AssertCopyAsync(Channel, node, last);
            var events = await EndedAsync(before, Channel, node);
            if (events.SingleOrDefault(e => e.SessionId == session?.Id && e.Event == "session_invalidated") is { } ended)
            {
                Assert.StartsWith(endsWith, ended.Detail, StringComparison.Ordinal);
                return $"attempt {attempt + 1}: session {session!.Id} in phase {session.Phase} ended: {ended.Detail}";
            }
        }

        throw new TimeoutException("Five sessions were over before anything could happen to them.");
    }

    /// <summary>What was written down of the sessions of a replica that began after session <paramref name="after"/>: each ended once, and let go of the log where it had held it.</summary>
    private async Task<IReadOnlyList<RecoveryLogged>> EndedAsync(long after, string channel, int node)
    {
        IReadOnlyList<RecoveryLogged> events = [];

        // The log is let go of before that is written down.
        await ClusterClient.UntilAsync(
            $"the sessions of {Cluster.NodeId(node)} have let go of {channel}",
            async () => (events = await fixture.LoggedAfterAsync(after, channel, node)).Count(e => e.Event == "history_pinned") <= events.Count(e => e.Event == "pins_released"),
            RecoveryCluster.Patience,
            CancellationToken.None);
        Assert.NotEmpty(events);
        Assert.All(events.GroupBy(e => e.SessionId), session => Assert.True(session.Count(IsEnd) == 1, string.Join('\n', session)));
        return events;
    }

    private static bool IsEnd(RecoveryLogged entry) =>
        entry.Event is "completed" or "rebuild_completed" or "session_invalidated" or "escalated" or "budget_escalated"
        || (entry.Event.EndsWith("_failed", StringComparison.Ordinal) && entry.Event != "session_failed");

    /// <summary>Appends records to a stopped node's copy that nobody else has.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="node">The node.</param>
    /// <param name="count">How many.</param>
    /// <param name="insteadFrom">Where they begin, in the place of all that was there; null adds them.</param>
    /// <returns>The last record before them.</returns>
    private async Task<long> AddForeignRecordsAsync(string channel, int node, int count, long? insteadFrom = null)
    {
        await using var log = await ReplicaLog.OpenAsync(channel, new ReplicaLogOptions { Folder = fixture.ReplicaFolder(node) }, TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        var term = log.Last.Term;
        if (insteadFrom is { } first)
        {
            await log.ResetAsync(first, CancellationToken.None);
        }

        var last = log.LastLsn;
        var records = Enumerable.Range(1, count)
            .Select(i => new WalRecord { Type = WalRecordType.Message, TimeTick = (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1024) + i, Payload = Encoding.UTF8.GetBytes($"nobody else has {i}") })
            .ToList();
        await log.AppendAsync(Math.Max(1, term), WalBatchCodec.Encode(last + 1, records), CancellationToken.None);
        return last;
    }

    private static long Number(string detail, string after) =>
        long.Parse(detail.Split(' ').Single(p => p.StartsWith(after, StringComparison.Ordinal))[after.Length..], CultureInfo.InvariantCulture);
}
