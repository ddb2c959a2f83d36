using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.ForcedPromotion;
using Baton.Functions.Nodes;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.ForcedPromotion;

/// <summary>A promotion that finds many broadcasts half delivered.</summary>
public sealed class SupplementScaleTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Fact]
    public async Task A_channel_that_fails_in_the_middle_gets_nothing_later_before_it_and_holds_no_other_channel_up()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        await AddAsync(plane, 10, 4, "ch1_v1", "ch2_v2");
        var refusals = 0;
        var othersAtRefusal = new List<string>();
        foreach (var node in plane.Nodes)
        {
            node.Intercept = async call =>
            {
                if (call.Control is not { BroadcastId: 11, VChannel: "ch2_v2" } || Interlocked.Increment(ref refusals) > 2)
                {
                    return null;
                }

                // The second round begins when everything that the first could do is stored.
                othersAtRefusal = [.. (await plane.Broadcasts.ListAsync(BroadcastState.Replicated, 10, default)).Select(t => $"{t.BroadcastId}:{string.Join(",", t.PendingVChannels)}")];
                return new ApiError(ApiErrorCode.Unavailable, "not now");
            };
        }

        var report = await PromoteAsync(plane, Clusters.BAlone);

        Assert.Equal(4, report.BroadcastsSupplemented);
        Assert.Equal([10L, 11L, 12L, 13L], plane.Logs.Appended.Where(a => a.VChannel == "ch1_v1").Select(a => a.BroadcastId));
        Assert.Equal([10L, 11L, 12L, 13L], plane.Logs.Appended.Where(a => a.VChannel == "ch2_v2").Select(a => a.BroadcastId));
        Assert.Equal(["11:ch2_v2", "12:ch2_v2", "13:ch2_v2"], othersAtRefusal, StringComparer.Ordinal);
        Assert.StartsWith("4 of 4 broadcasts; last waited for ch2_v2 (broadcast 11, 3 missing on its channel)", report.Steps.Single(s => s.Name == "Supplement").Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    public async Task Lost_between_two_hundreds_the_next_attempt_goes_on_and_appends_nothing_twice(bool after, int nth)
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.WithSourceAsync();
        var count = SupplementBroadcasts.MaxBroadcasts + 20;
        await AddAsync(plane, 10, count, "ch2_v2");
        plane.Engine.LoseAt = new Loss(nameof(SupplementBroadcasts), after, nth);

        var id = (await plane.UpdateAsync(Clusters.BAlone, force: true, waitMs: 0)).Read<OperationAccepted>().OperationId;
        await plane.Engine.EndOfAsync($"{id}-1");
        Assert.Null(plane.Engine.LoseAt);
        Assert.Equal(SupplementBroadcasts.MaxBroadcasts, plane.Logs.Appended.Count(a => a.VChannel == "ch2_v2"));
        await plane.SweepAsync();
        await ForcedPromotionTests.FinishedAsync(plane, id);

        Assert.Equal(Enumerable.Range(10, count).Select(i => (long)i), plane.Logs.Appended.Where(a => a.VChannel == "ch2_v2").Select(a => a.BroadcastId));
        Assert.Equal(plane.Logs.Appended.Count, plane.Nodes.SelectMany(n => n.Of("control")).Count(c => c.Control!.Message.AlterReplicateConfig is null) + 2);
        var report = (await plane.Operations.ReadResultAsync<Functions.ReplicateConfiguration.UpdateResult>(id, default))!.Promotion!;
        Assert.Equal((count, $"{count} of {count} broadcasts"), (report.BroadcastsSupplemented, report.Steps.Single(s => s.Name == "Supplement").Detail));
        Assert.Empty(await plane.Broadcasts.ListPlacesBeforeAsync(new CallbackPlace(long.MaxValue, 0), 10, default));
    }

    [Fact]
    public async Task Of_256_channels_and_300_broadcasts_a_bounded_number_is_under_way_and_few_rows_are_written()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var configuration = await WithChannelsAsync(plane, 256);
        for (var i = 0; i < 300; i++)
        {
            await AddAsync(plane, 10 + i, 1, $"c{i % 256:D3}_v1", $"c{(i + 128) % 256:D3}_v1");
        }

        var (forced, others) = (new UnderWay(NodeClient.MaxControlCalls), new UnderWay(SupplementBroadcasts.MaxCalls));
        foreach (var node in plane.Nodes)
        {
            node.Intercept = call => call.Verb != "control" ? Task.FromResult<ApiError?>(null) : call.Control!.Message.AlterReplicateConfig is null ? others.MeetAsync() : forced.MeetAsync();
        }

        plane.Engine.BeforeActivity = name =>
        {
            if (name == nameof(PlanSupplement))
            {
                plane.Storage.Clear();
            }

            return Task.CompletedTask;
        };
        var report = await PromoteAsync(plane, configuration);

        Assert.Equal((256, 300), (report.Channels, report.BroadcastsSupplemented));
        Assert.Equal(256 + 600, plane.Logs.Appended.Count);
        Assert.Equal((NodeClient.MaxControlCalls, SupplementBroadcasts.MaxCalls), (forced.Most, others.Most));

        // Three rounds of a hundred, a write or two each, and the promotion's own tombstone.
        Assert.InRange(plane.Storage.Calls.Count(c => !c.StartsWith("GET", StringComparison.Ordinal) && (c.Contains("BroadcastTasks", StringComparison.Ordinal) || c.Contains("batch", StringComparison.Ordinal))), 3, 12);
    }

    [Fact]
    public async Task With_thousands_missing_the_steps_text_stays_short()
    {
        await using var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        var configuration = await WithChannelsAsync(plane, 40);
        for (var i = 0; i < 40; i++)
        {
            await AddAsync(plane, 10 + i, 1, $"c{i:D3}_v1");
        }

        var broken = true;
        foreach (var node in plane.Nodes)
        {
            node.Intercept = call => Task.FromResult(call.Control is { Message.AlterReplicateConfig: null } && Volatile.Read(ref broken) ? new ApiError(ApiErrorCode.Unavailable, new string('x', 900)) : null);
        }

        var id = (await plane.UpdateAsync(configuration, force: true, waitMs: 0)).Read<OperationAccepted>().OperationId;
        string? detail = null;
        await Until.TrueAsync(async () => (detail = (await plane.Operations.ReadStepsAsync(id, default)).SingleOrDefault(s => s.Name == "Supplement")?.Detail) is not null);
        Volatile.Write(ref broken, false);
        await ForcedPromotionTests.FinishedAsync(plane, id);

        Assert.StartsWith("0 of 40 broadcasts; waiting for c000_v1 (broadcast 10, 1 missing on its channel)", detail, StringComparison.Ordinal);
        Assert.EndsWith("; and 32 more", detail, StringComparison.Ordinal);
        Assert.True(detail!.Length < 4_000);
    }

    private static async Task AddAsync(ControlPlane plane, long firstId, int count, params string[] vchannels)
    {
        // As the acks of a node that had the control record alone would leave them.
        var acks = new Dictionary<string, BroadcastAck>(StringComparer.Ordinal) { ["ch1_vcontrol"] = new BroadcastAck(5, 5, 5) };
        var message = new BroadcastMessage("drop", ["ch1_vcontrol", .. vchannels], []);
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            async (i, ct) => await plane.Broadcasts.AddAsync(new BroadcastTask(firstId + i, message, BroadcastState.Replicated, acks, DateTimeOffset.UtcNow), ct));
    }

    // One write instead of one a channel.
    private static async Task<Configuration> WithChannelsAsync(ControlPlane plane, int count)
    {
        await plane.AddNodeAsync("n1");
        await plane.AddNodeAsync("n2");
        var names = Enumerable.Range(0, count).Select(i => $"c{i:D3}").ToList();
        await plane.States.UpdateAsync(
            s => s with { Version = s.Version + 1, Channels = names.Select((n, i) => (n, i)).ToDictionary(c => c.n, c => new ChannelState(c.i % 2 == 0 ? "n1" : "n2", 1, 1, [], c.i), StringComparer.Ordinal) },
            default);
        var b = Clusters.B with { PChannels = names };
        var a = Clusters.A with { PChannels = [.. names.Select(n => $"x{n}")] };
        await plane.PutInForceAsync(new Configuration([a, b], new ReplicateTopology([new ReplicateEdge("a", "b")])));
        return new Configuration([b]);
    }

    private static async Task<PromotionReport> PromoteAsync(ControlPlane plane, Configuration configuration)
    {
        var answer = await plane.UpdateAsync(configuration, force: true, waitMs: 60_000);
        Assert.True(answer.Status == 200, answer.Body);
        return answer.Read<UpdateReplicateConfigurationResponse>().Promotion!;
    }

    // Calls wait for each other until as many are under way as should be at once; more would show.
    private sealed class UnderWay(int expected)
    {
        private readonly Lock _lock = new();
        private readonly TaskCompletionSource _met = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _now;

        public int Most { get; private set; }

        public async Task<ApiError?> MeetAsync()
        {
            lock (_lock)
            {
                Most = Math.Max(Most, ++_now);
                if (_now >= expected)
                {
                    _met.TrySetResult();
                }
            }

            await _met.Task.WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            lock (_lock)
            {
                _now--;
            }

            return null;
        }
    }
}
