using System.Globalization;
using System.Net;
using Baton.Core.Api;
using Baton.Gateway.Forwarding;
using Baton.Edge.Producers;
using Baton.Gateway.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Baton.Gateway.Tests.Producers;

/// <summary>The stamps of appends: one outstanding for each producer, rising, and as few producers as it takes.</summary>
public sealed class LanesTests
{
    [Fact]
    public void The_lane_that_was_used_last_is_taken_first_with_the_next_sequence()
    {
        var lanes = new ChannelLanes("p-", 10);
        var (a, b) = (lanes.TryTake()!, lanes.TryTake()!);
        Assert.Equal(("p-0;1", "p-1;1"), (a.Stamp, b.Stamp));
        a.Dispose();
        b.Dispose();
        Assert.Equal("p-1;2", lanes.TryTake()!.Stamp);
        Assert.Equal("p-0;2", lanes.TryTake()!.Stamp);
        Assert.Equal("p-2;1", lanes.TryTake()!.Stamp);
        Assert.Equal(3, lanes.Made);
    }

    [Fact]
    public async Task Where_all_are_taken_one_waits_for_the_next_and_who_gives_up_takes_none()
    {
        var lanes = new ChannelLanes("p-", 1);
        var only = lanes.TryTake()!;
        Assert.Null(lanes.TryTake());
        using var end = new CancellationTokenSource();
        var (gone, next) = (lanes.TakeAsync(end.Token).AsTask(), lanes.TakeAsync(CancellationToken.None).AsTask());
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.False(next.IsCompleted);
        only.Dispose();
        Assert.Equal("p-0;2", (await next.WaitAsync(TimeSpan.FromSeconds(60))).Stamp);
        Assert.Equal(1, lanes.Made);
    }

    [Fact]
    public async Task A_lane_that_comes_at_the_moment_in_which_its_client_hangs_up_is_given_back()
    {
        using var host = new HostBuilder().Build();
        var stopping = new Stopping(host.Services.GetRequiredService<IHostApplicationLifetime>(), TimeProvider.System);
        var lanes = new ChannelLanes("p-", 1);
        for (var i = 0; i < 1_000; i++)
        {
            var only = lanes.TryTake();
            Assert.True(only is not null, $"the lane is lost after {i} clients");
            using var aborted = new CancellationTokenSource();
            using var hold = new Hold(new HeldRequests(10), TimeSpan.Zero, TimeSpan.FromSeconds(60), stopping, TimeProvider.System, aborted.Token);
            var next = Forwarder.LaneAsync(lanes, hold);
            only.Dispose();
            await aborted.CancelAsync();
            try
            {
                (await next).Dispose();
            }
            catch (OperationCanceledException)
            {
                // Mostly: the client was first.
            }
        }
    }

    [Fact]
    public async Task Appends_one_after_the_other_are_one_producers()
    {
        await using var scene = await Scene.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await scene.Gateway.AppendAsync("ch").AppendedAsync();
        }

        Assert.Single(scene.First.Received.Select(Producer).Distinct());
        Assert.Equal(["1", "2", "3", "4", "5"], scene.First.Received.Select(r => r.Stamp!.Split(';')[1]));
    }

    [Fact]
    public async Task Appends_beside_each_other_are_of_different_producers_and_beyond_the_bound_they_wait()
    {
        await using var scene = await Scene.StartAsync(("Gateway:ProducersPerChannel", "2"));
        var answers = new TaskCompletionSource();
        scene.First.Answer = async (context, _, _) =>
        {
            await answers.Task;
            await FakeNode.Appended(context);
        };
        var appends = Enumerable.Range(0, 3).Select(_ => scene.Gateway.AppendAsync("ch").AppendedAsync()).ToArray();
        await Eventually.HoldsAsync(() => scene.First.Received.Count == 2, "two are under way");
        await scene.HoldsAsync(1);
        Assert.Equal(2, scene.First.Received.Select(Producer).Distinct().Count());
        answers.SetResult();
        await Task.WhenAll(appends);
        Assert.Equal(2, scene.First.Received.Select(Producer).Distinct().Count());
        Assert.Equal(3, scene.First.Received.Select(r => r.Stamp).Distinct().Count());
    }

    [Fact]
    public async Task An_append_without_a_final_answer_leaves_its_sequence_behind()
    {
        await using var scene = await Scene.StartAsync(("Gateway:HoldMs", "300"));
        scene.First.Answer = (context, _, _) => FakeNode.Silent(context);
        await Eventually.HoldsAsync(
            async () =>
            {
                await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Unavailable);
                return !scene.First.Received.IsEmpty;
            },
            "an append got as far as the node");
        var lost = scene.First.Received.Last();
        ReceivedRequest? taken = null;
        scene.First.Answer = (context, request, _) =>
        {
            taken = request;
            return FakeNode.Appended(context);
        };
        await Eventually.HoldsAsync(
            async () =>
            {
                using var answer = await scene.Gateway.AppendAsync("ch");
                return answer.StatusCode == HttpStatusCode.OK;
            },
            "a later append is answered");
        Assert.Equal(Producer(lost), Producer(taken!));
        Assert.True(Sequence(lost) < Sequence(taken!), $"{lost.Stamp} and then {taken!.Stamp}");
    }

    private static string Producer(ReceivedRequest request) => request.Stamp!.Split(';')[0];

    private static long Sequence(ReceivedRequest request) => long.Parse(request.Stamp!.Split(';')[1], CultureInfo.InvariantCulture);
}
