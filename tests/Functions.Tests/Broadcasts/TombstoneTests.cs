using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Settings;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Tests.ForcedPromotion;
using Baton.Testing;
using Microsoft.Extensions.Configuration;

namespace Baton.Functions.Tests.Broadcasts;

public sealed class TombstoneTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly BroadcastMessage Message = new("drop", ["ch1_v1", "ch2_v2"], []);

    [Fact]
    public async Task Old_tombstones_go_by_age_and_what_is_not_ended_stays()
    {
        await using var plane = await StartAsync();
        await EndAsync(plane, 10, 11);
        await AckAsync(plane, 12, "ch1_v1", 9);
        await SweepAsync(plane);
        Assert.Equal(3, (await plane.Broadcasts.ListAsync(null, 10, default)).Count);

        plane.Time.Advance(TimeSpan.FromDays(1) + TimeSpan.FromMinutes(1));
        await SweepAsync(plane);

        Assert.Equal(12, Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).BroadcastId);
    }

    [Fact]
    public async Task Beyond_the_count_the_oldest_go()
    {
        await using var plane = await StartAsync(("Broadcasts:TombstoneMaxCount", "1"));
        await EndAsync(plane, 11);
        await EndAsync(plane, 10);
        await EndAsync(plane, 12);
        await SweepAsync(plane);
        Assert.Equal(3, (await plane.Broadcasts.ListAsync(null, 10, default)).Count);

        plane.Time.Advance(TombstoneOptions.LeastAge);
        await SweepAsync(plane);

        Assert.Equal(12, Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).BroadcastId);
        Assert.Equal(11, (await plane.Get<TombstoneStore>().ReadCollectedAsync(default)).HighestId);
    }

    [Fact]
    public async Task An_ack_that_is_reported_again_after_its_broadcast_was_collected_begins_nothing_and_a_later_record_does()
    {
        await using var plane = await StartAsync();
        await EndAsync(plane, 10);
        plane.Time.Advance(TimeSpan.FromDays(2));
        await SweepAsync(plane);

        var again = await AckAsync(plane, 10, "ch1_v1", 5);
        var later = await AckAsync(plane, 9, "ch1_v1", 6);

        Assert.Equal(BroadcastState.Done, again.State);
        Assert.Equal(BroadcastState.Replicated, later.State);
        Assert.Equal(9, Assert.Single(await plane.Broadcasts.ListAsync(null, 10, default)).BroadcastId);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_collection_that_meets_an_ack_between_its_two_reads_brings_nothing_back(bool collectFirst)
    {
        await using var plane = await StartAsync();
        await EndAsync(plane, 10);
        plane.Time.Advance(TimeSpan.FromDays(2));
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        var reads = 0;

        // The ack's first read finds the tombstone (or does not); the other runs whole before it goes on.
        plane.Storage.Before = async call =>
        {
            if (call == "GET BroadcastTasks" && Interlocked.Increment(ref reads) == 1)
            {
                if (collectFirst)
                {
                    reached.SetResult();
                    await gate.Task;
                }
            }
        };
        var ack = AckAsync(plane, 10, "ch1_v1", 5);
        if (collectFirst)
        {
            await reached.Task;
        }
        else
        {
            await ack;
        }

        await SweepAsync(plane);
        gate.SetResult();

        Assert.Equal(collectFirst ? BroadcastState.Done : BroadcastState.Tombstone, (await ack).State);
        Assert.Empty(await plane.Broadcasts.ListAsync(null, 10, default));
    }

    [Fact]
    public async Task Two_runs_at_once_remove_each_tombstone_once_and_remember_all()
    {
        await using var plane = await StartAsync();
        await EndAsync(plane, [.. Enumerable.Range(10, TombstoneStore.MaxBatch + 10).Select(i => (long)i)]);
        plane.Time.Advance(TimeSpan.FromDays(2));

        await Task.WhenAll(SweepAsync(plane), SweepAsync(plane));
        await SweepAsync(plane);

        Assert.Empty(await plane.Broadcasts.ListAsync(null, 10, default));
        Assert.Equal(TombstoneStore.MaxBatch + 19, (await plane.Get<TombstoneStore>().ReadCollectedAsync(default)).HighestId);
    }

    [Fact]
    public async Task The_same_request_after_its_broadcast_was_collected_appends_nothing()
    {
        await using var plane = await StartAsync();
        await plane.WithTwoNodesAsync();
        var request = new CreateBroadcastRequest("drop", Message.VChannels, BroadcastId: 77);
        await CreateAsync(plane, request);
        await ForcedPromotionTests.FinishedAsync(plane, "broadcast-77");
        plane.Time.Advance(TimeSpan.FromDays(2));
        await SweepAsync(plane);

        var answer = await CreateAsync(plane, request);

        Assert.Equal((200, BroadcastState.Done), (answer.Status, answer.Read<BroadcastView>().State));
        Assert.Empty(await plane.Broadcasts.ListAsync(null, 10, default));
        Assert.Equal(2, plane.Logs.Appended.Count);
    }

    [Theory]
    [InlineData("Broadcasts:TombstoneMaxAgeMinutes", "1")]
    [InlineData("Broadcasts:TombstoneMaxAgeMinutes", "a day")]
    [InlineData("Broadcasts:TombstoneMaxCount", "-1")]
    public void A_setting_that_does_not_fit_stops_the_start(string name, string value)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new(name, value)]).Build();

        Assert.Contains(name, Assert.Throws<InvalidSettingException>(() => TombstoneOptions.From(configuration)).Message, StringComparison.Ordinal);
    }

    private Task<ControlPlane> StartAsync(params (string, string)[] settings) => ControlPlane.StartAsync(azurite.NewAccount(), null, settings);

    private static async Task EndAsync(ControlPlane plane, params long[] ids) => await Parallel.ForEachAsync(ids, async (id, ct) =>
    {
        var acks = new Dictionary<string, BroadcastAck>(StringComparer.Ordinal) { ["ch1_v1"] = new(5, 5, 5), ["ch2_v2"] = new(5, 5, 5) };
        await plane.Broadcasts.AddAsync(new BroadcastTask(id, Message, BroadcastState.Tombstone, acks, plane.Time.GetUtcNow(), plane.Time.GetUtcNow()), ct);
    });

    private static Task<BroadcastTask> AckAsync(ControlPlane plane, long id, string vchannel, long tick) =>
        plane.Broadcasts.AckAsync(id, vchannel, new BroadcastAck(tick, tick, tick), Message, new SourcePosition("a", "x1", tick, tick), default);

    private static Task<Answer> CreateAsync(ControlPlane plane, CreateBroadcastRequest request) =>
        plane.CallAsync<BroadcastCreate>((f, r) => f.RunAsync(r, plane.Engine, default), request);

    private static Task<bool> SweepAsync(ControlPlane plane) => plane.RunAsync<TombstoneSweep, bool>(async f =>
    {
        await f.RunAsync(new TimerInfo(false), default);
        return true;
    });
}
