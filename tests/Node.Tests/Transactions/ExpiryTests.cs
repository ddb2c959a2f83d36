using System.Diagnostics;
using Baton.Core.Api;
using Baton.Core.Wal;
using Baton.Node.Channels;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Transactions;

/// <summary>Transactions whose writers are gone end in the log, although nobody writes.</summary>
public sealed class ExpiryTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task On_an_idle_channel_a_time_tick_ends_it_and_nothing_more_is_appended()
    {
        var channel = NodeFixture.NewChannel();
        var time = new ShiftedTime();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", null, time);
        await node.LeadsAsync(channel, 1);
        var txnId = await BeginAsync(node, channel, 600_000);
        await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{txnId}/messages", new AppendRequest([new MessageBody([1])])));

        time.Set(TimeSpan.FromHours(1));
        await EndedAsync(node, channel);

        var status = await node.StatusAsync(channel);
        Assert.Equal((3, 3), (status.LastLsn, status.LastConfirmedLsn));
        Assert.Equal(WalRecordType.TimeTick, (await node.ReadAsync(channel, "all")).Messages[^1].Type);
        Assert.Empty((await node.ReadAsync(channel)).Messages);
        Assert.Equal(4, (await node.AppendAsync(channel, "next")).FirstLsn);
    }

    [Fact]
    public async Task The_next_leader_ends_what_it_finds_open()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using (var node = await TestNode.LeadingAsync(fixture, plane, channel))
        {
            await BeginAsync(node, channel, 1_000);
        }

        await using var next = await TestNode.LeadingAsync(fixture, plane, channel, term: 2, id: "node-2");
        await EndedAsync(next, channel);
        Assert.Equal(2, (await next.StatusAsync(channel)).LastConfirmedLsn);
    }

    [Fact]
    public async Task A_clock_that_is_set_back_puts_the_end_off_and_one_that_is_set_forward_brings_it_on()
    {
        var channel = NodeFixture.NewChannel();
        var time = new ShiftedTime();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", null, time);
        await node.LeadsAsync(channel, 1);
        var txnId = await BeginAsync(node, channel, 600_000);

        time.Set(TimeSpan.FromHours(-1));
        await TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/transactions/{txnId}/messages", new AppendRequest([new MessageBody([1])])));
        Assert.Equal((2, 1), ((await node.StatusAsync(channel)).LastLsn, (await node.StatusAsync(channel)).OpenTransactions.Count));

        time.Set(TimeSpan.FromHours(1));
        await EndedAsync(node, channel);
        Assert.Equal(3, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task Replicated_transactions_stay_whatever_the_clock_shows()
    {
        var channel = NodeFixture.NewChannel();
        var pair = Pair.Of(channel);
        var time = new ShiftedTime();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", null, time);
        await node.LeadsAsync(channel, 1);
        await pair.FollowAsync(node);
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Begin(1, 10, 10) with { KeepaliveMs = 1 }));

        time.Set(TimeSpan.FromDays(1));
        await TestNode.OkAsync<ReplicateResponse>(pair.ReplicateAsync(node, Pair.Body(2, 11, 10, "m")));

        var status = await node.StatusAsync(channel);
        Assert.Equal([10L], status.OpenTransactions);
        Assert.Equal(3, status.LastLsn);
    }

    /// <summary>The log takes nothing: an append waits for a minute.</summary>
    [Fact]
    public async Task Status_answers_while_the_log_is_full()
    {
        var channel = NodeFixture.NewChannel();
        var fault = new StorageFault();
        await using var plane = await ScriptedControlPlane.StartAsync();
        plane.Assign("node-1", new Assignment(channel, "leader", 1, null));
        (string, string)[] patient = [("Wal:MaxQueuedBytes", "1"), ("Wal:QueueWaitMs", "60000"), ("Wal:MaxAttempts", "1000"), ("Wal:GiveUpMs", "600000"), ("Wal:RetryMaxDelayMs", "50")];
        await using var node = await TestNode.StartAsync(fixture, plane, "node-1", fault, patient);
        await node.LeadsAsync(channel, 1);
        fault.Broken = true;
        var first = node.AppendAsync(channel, "in flight");
        await Eventually.HoldsAsync(() => fault.Dropped > 0, "the first append is on its way");

        // One waits: of several, one is taken when there is room, and the log is full again for the others.
        var second = node.AppendAsync(channel, "waits");

        Assert.Equal("leader", (await node.StatusAsync(channel)).Role);
        Assert.False(first.IsCompleted);
        Assert.False(second.IsCompleted);
        fault.Broken = false;
        Assert.Equal([1, 2], (await Task.WhenAll(first, second)).Select(w => w.FirstLsn));
    }

    [Fact]
    public async Task Whatever_a_look_comes_to_the_next_one_comes_no_sooner_than_after_a_pause_and_none_without_reason()
    {
        var looks = 0;
        await using var watch = new ExpiryWatch(_ => Task.FromResult<TimeSpan?>(Interlocked.Increment(ref looks) < 10 ? TimeSpan.FromSeconds(-1) : null), TimeProvider.System);
        Assert.Equal(0, looks);
        var since = Stopwatch.GetTimestamp();
        watch.Begun();
        await Eventually.HoldsAsync(() => looks == 10, "it looks");
        Assert.True(Stopwatch.GetElapsedTime(since) > TimeSpan.FromMilliseconds(80), "nine pauses of 10 ms");

        watch.Begun();
        await Eventually.HoldsAsync(() => looks == 11, "it looks again when another begins");
    }

    [Fact]
    public async Task What_begins_during_the_last_look_is_looked_for()
    {
        var looks = 0;
        ExpiryWatch? watch = null;
        await using var disposed = watch = new ExpiryWatch(
            _ =>
            {
                if (Interlocked.Increment(ref looks) == 1)
                {
                    watch!.Begun();
                }

                return Task.FromResult<TimeSpan?>(null);
            },
            TimeProvider.System);
        watch.Begun();
        await Eventually.HoldsAsync(() => looks == 2, "it looks once more");
    }

    private static async Task<long> BeginAsync(TestNode node, string channel, long keepaliveMs) =>
        (await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(keepaliveMs)))).TxnId;

    private static Task EndedAsync(TestNode node, string channel) =>
        Eventually.HoldsAsync(async () => await node.StatusAsync(channel) is { OpenTransactions.Count: 0 } status && status.LastConfirmedLsn == status.LastLsn, "the transaction has ended");
}
