using System.Net.Http.Json;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Broadcasts;

public sealed class ForcedConfigurationTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task A_forced_configuration_rolls_back_every_session_carries_their_ids_and_opens_the_channel_for_writes()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var local = await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)));
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Plain(1, 10, "kept"), Pair.Begin(2, 20, 18), Pair.Body(3, 30, 18, "dropped")));
        var openBefore = (await node.StatusAsync(channel)).OpenTransactions;
        Assert.Contains(18, openBefore);

        var answer = await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(node));
        Assert.Equal(openBefore.Order(), answer.RolledBackTxnIds.Order());
        Assert.Equal(new ReplicateCheckpoint(Pair.Source, pair.SourceChannel, 1, 10), answer.LastReplicated);
        Assert.False(answer.Duplicate);

        var status = await node.StatusAsync(channel);
        Assert.Equal(ClusterRole.Standalone, status.ReplicateRole);
        Assert.Empty(status.OpenTransactions);
        Assert.Equal(status.LastLsn, status.LastConfirmedLsn);
        await node.AppendAsync(channel, "writable");
        Assert.Equal(["kept", "writable"], await PlainTextsAsync(node, channel));
        await TestNode.ProblemAsync(pair.ReplicateAsync(node, Pair.Commit(4, 40, 18)), ApiErrorCode.ReplicateViolation);
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/transactions/{local.TxnId}/commit", ""), ApiErrorCode.Conflict);
        Assert.Contains($"baton_txn_rollback_after_failover_total{{channel=\"{channel}\"}} {openBefore.Count}", await node.Client.GetStringAsync("metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_idempotent_by_broadcast_id_also_after_reopening()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        ControlResponse first;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await pair.FollowAsync(node);
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Begin(1, 10, 18)));
            first = await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(node));
            await node.AppendAsync(channel, "after");
            await SameAsync(first, await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(node)));
            Assert.Equal(4, (await node.StatusAsync(channel)).LastLsn);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        await SameAsync(first, await TestNode.OkAsync<ControlResponse>(pair.ForceAsync(next)));
        Assert.Equal(4, (await next.StatusAsync(channel)).LastLsn);

        static Task SameAsync(ControlResponse first, ControlResponse again)
        {
            Assert.True(again.Duplicate);
            Assert.Equal(first.Ack, again.Ack);
            Assert.Equal(first.RolledBackTxnIds, again.RolledBackTxnIds);
            Assert.Equal(first.LastReplicated, again.LastReplicated);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task An_ignored_configuration_is_appended_and_changes_nothing()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(600_000)));
        var answer = await TestNode.OkAsync<ControlResponse>(pair.ChangeAsync(node, 9, pair.Replicating, forced: true, ignored: true));
        Assert.Empty(answer.RolledBackTxnIds);
        Assert.Equal(2, answer.Ack.Lsn);
        Assert.Equal(ClusterRole.Standalone, (await node.StatusAsync(channel)).ReplicateRole);
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"channels/{channel}/transactions/{begun.TxnId}/commit", ""));
    }

    [Fact]
    public async Task Broadcast_records_that_came_by_replication_are_acked_in_this_clusters_names()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
        await Eventually.HoldsAsync(() => !plane.Acks.IsEmpty, "the ack arrives");
        var (id, ack) = Assert.Single(plane.Acks);
        Assert.Equal((77L, $"{channel}_v1", 2L), (id, ack.VChannel, ack.Ack.Lsn));
        Assert.Equal([$"{channel}_v1", $"{channel}_v2"], ack.Message.VChannels);
        Assert.Equal(new SourcePosition(Pair.Source, pair.SourceChannel, 1, 10), ack.Source);
        var record = Assert.Single((await node.ReadAsync(channel, "all", from: 2)).Messages);
        Assert.Equal((77L, $"{channel}_v1"), (record.BroadcastId, record.VChannel));
    }

    [Fact]
    public async Task A_broadcast_record_by_order_is_left_to_the_caller_to_ack()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var first = await pair.FollowAsync(node);
        Assert.Equal((1L, 1L), (first.Ack.Lsn, first.Term));
        Assert.True(first.Ack.TimeTick > 0);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
        await Eventually.HoldsAsync(() => !plane.Acks.IsEmpty, "the replicated record's ack arrives");
        Assert.DoesNotContain(plane.Acks, a => a.BroadcastId == 1);
    }

    [Fact]
    public async Task A_forced_configuration_waits_for_the_acks_before_it()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesAcks = false;
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
        var forced = pair.ForceAsync(node);
        await Eventually.HoldsAsync(async () => (await node.StatusAsync(channel)).ReplicateRole == ClusterRole.Standalone, "the configuration is in force");
        await Eventually.HoldsAsync(() => Volatile.Read(ref plane.AcksRefused) > 0, "an ack is refused");
        Assert.False(forced.IsCompleted);
        plane.TakesAcks = true;
        await TestNode.OkAsync<ControlResponse>(forced);
        Assert.Contains(plane.Acks, a => a.BroadcastId == 77);
    }

    [Fact]
    public async Task It_is_unavailable_while_acks_cannot_be_flushed_and_a_repeat_answers_later()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesAcks = false;
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ("Node:AckFlushTimeoutMs", "100"));
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
        await TestNode.ProblemAsync(pair.ForceAsync(node), ApiErrorCode.Unavailable);
        plane.TakesAcks = true;
        await Eventually.HoldsAsync(() => !plane.Acks.IsEmpty, "the ack arrives");
        ControlResponse? again = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                // The time that an ack may take is little on a machine that is busy with something else: repeated until it was enough.
                using var answer = await pair.ForceAsync(node);
                again = answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<ControlResponse>(BatonJson.Options) : null;
                return again is not null;
            },
            "the repeat is answered");
        Assert.True(again!.Duplicate);
        Assert.Equal(3, again.Ack.Lsn);
    }

    [Fact]
    public async Task Acks_that_a_dead_node_still_owed_are_sent_by_the_next_one()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesAcks = false;
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await pair.FollowAsync(node);
            await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1, 10, 77)));
        }

        plane.TakesAcks = true;
        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        await Eventually.HoldsAsync(() => plane.Acks.Any(a => a.BroadcastId == 77 && a.Request.VChannel == $"{channel}_v1"), "the ack arrives");
    }

    [Fact]
    public async Task Replicated_broadcasts_are_refused_for_a_while_when_too_many_acks_wait()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.TakesAcks = false;
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, [.. Enumerable.Range(1, 1_000).Select(i => pair.Broadcast(i, i, 1_000 + i))]));
        await TestNode.ProblemAsync(pair.ReplicateAsync(node, pair.Broadcast(1_001, 1_001, 9_999)), ApiErrorCode.Overloaded);
        plane.TakesAcks = true;
        await Eventually.HoldsAsync(() => plane.Acks.Count == 1_000, "every ack arrives");
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, pair.Broadcast(1_003, 1_003, 9_999)));
    }

    [Fact]
    public async Task Clients_do_not_see_the_tokens_of_a_configuration_and_cdc_does()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await pair.FollowAsync(node);
        foreach (var isolation in new[] { "all", "committed" })
        {
            var seen = Assert.Single((await node.ReadAsync(channel, isolation)).Messages);
            Assert.Equal(WalRecordType.AlterReplicateConfig, seen.Type);
            Assert.DoesNotContain("token-of-a", Encoding.UTF8.GetString(seen.Payload), StringComparison.Ordinal);
        }

        var whole = await TestNode.OkAsync<ReadResponse>(node.Control.GetAsync($"channels/{channel}/messages?isolation=all"));
        Assert.Contains("token-of-a", Encoding.UTF8.GetString(whole.Messages[0].Payload), StringComparison.Ordinal);
    }

    private static async Task<string[]> PlainTextsAsync(TestNode node, string channel) =>
        [.. (await node.ReadAsync(channel)).Messages.Where(m => m.Type == WalRecordType.Message).Select(m => Encoding.UTF8.GetString(m.Payload))];
}
