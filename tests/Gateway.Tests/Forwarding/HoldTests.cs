using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Baton.Core.Api;
using Baton.Gateway.Producers;
using Baton.Gateway.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Gateway.Tests.Forwarding;

/// <summary>What a client sees of a leader that fails: nothing but time.</summary>
public sealed class HoldTests
{
    [Fact]
    public async Task A_leader_that_refuses_connections_is_left_when_the_route_names_another()
    {
        await using var scene = await Scene.StartAsync();
        await scene.First.DownAsync();
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.HoldsAsync(1);
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
        Assert.Equal("2", Assert.Single(scene.Second.Received).Term);
        await scene.HoldsAsync(0);
    }

    [Fact]
    public async Task A_leader_that_comes_back_gets_what_was_held_without_a_change_of_the_route()
    {
        await using var scene = await Scene.StartAsync();
        await scene.First.DownAsync();
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.HoldsAsync(1);
        await scene.First.UpAsync();
        await append;
        Assert.Single(scene.First.Received);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_breaks_off_is_asked_for_again_with_the_same_stamp_and_the_next_append_has_the_next(bool inItsMidst)
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, before) => before > 0 ? FakeNode.Appended(context, 5) : inItsMidst ? FakeNode.HalfAnAnswer(context) : FakeNode.Reset(context);
        Assert.Equal(5, (await scene.Gateway.AppendAsync("ch").AppendedAsync()).FirstLsn);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        var stamps = scene.First.Received.Select(r => r.Stamp!.Split(';')).ToArray();
        Assert.Equal(["1", "1", "2"], stamps.Select(s => s[1]));
        Assert.Single(stamps.Select(s => s[0]).Distinct());
        Assert.True(await scene.HasRetriedAsync("reset"));
    }

    [Fact]
    public async Task A_read_that_breaks_off_in_the_midst_is_read_again_and_no_client_sees_half_of_it()
    {
        await using var scene = await Scene.StartAsync();
        var whole = new byte[1_000_000];
        Random.Shared.NextBytes(whole);
        scene.First.Answer = async (context, _, before) =>
        {
            await context.Response.Body.WriteAsync(whole.AsMemory(0, before == 0 ? 600_000 : whole.Length));
            if (before == 0)
            {
                await context.Response.Body.FlushAsync();
                context.Abort();
            }
        };
        using var answer = await scene.Gateway.GetAsync("channels/ch/messages");
        Assert.Equal(whole, await answer.Content.ReadAsByteArrayAsync());
        Assert.Equal(2, scene.First.Received.Count);
    }

    [Fact]
    public async Task A_node_that_has_gone_silent_is_left_as_soon_as_the_route_gives_the_channel_a_higher_term()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, _) => FakeNode.Silent(context);
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the silent node has the append");
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
        Assert.Equal(Assert.Single(scene.First.Received).Stamp, Assert.Single(scene.Second.Received).Stamp);
        Assert.True(await scene.HasRetriedAsync("routeChanged"));
        Assert.Empty(scene.Plane.Reports);
    }

    [Fact]
    public async Task A_change_of_another_channel_disturbs_nobody()
    {
        await using var scene = await Scene.StartAsync();
        var answers = new TaskCompletionSource();
        scene.First.Answer = async (context, _, _) =>
        {
            await answers.Task;
            await FakeNode.Appended(context);
        };
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the node has the append");
        var version = scene.Gateway.Routes.Version;
        scene.Plane.Lead("other", scene.Second, term: 2);
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Version > version, "the gateway has the newer route");
        answers.SetResult();
        await append;
        Assert.Single(scene.First.Received);
    }

    [Fact]
    public async Task An_attempt_without_an_answer_is_given_up_after_its_time_and_made_again_with_the_same_stamp()
    {
        await using var scene = await Scene.StartAsync(("Gateway:AttemptTimeoutMs", "200"));
        scene.First.Answer = (context, _, before) => before == 0 ? FakeNode.Silent(context) : FakeNode.Appended(context);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        Assert.True(scene.First.Received.Count >= 2);
        Assert.Single(scene.First.Received.Select(r => r.Stamp).Distinct());
        Assert.True(await scene.HasRetriedAsync("attemptTimeout"));
        Assert.Empty(scene.Plane.Reports);
    }

    [Fact]
    public async Task A_node_that_does_not_lead_and_says_who_does_is_believed_above_the_routes_term()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.NotLeader, leader: new LeaderHint("node-2", scene.Second.Address, 5));
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        Assert.Equal("5", Assert.Single(scene.Second.Received).Term);
        Assert.Single(scene.First.Received);
    }

    [Fact]
    public async Task An_attempt_by_a_hint_goes_on_when_the_route_only_catches_up_with_it()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.NotLeader, leader: new LeaderHint("node-2", scene.Second.Address, 5));
        var answers = new TaskCompletionSource();
        scene.Second.Answer = async (context, _, _) =>
        {
            await answers.Task;
            await FakeNode.Appended(context);
        };
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => !scene.Second.Received.IsEmpty, "the hinted node has the append");
        scene.Plane.Lead("ch", scene.Second, term: 5);
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch")?.Leader?.Term == 5, "the route has caught up");
        answers.SetResult();
        await append;
        Assert.Single(scene.Second.Received);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(null)]
    public async Task A_node_that_does_not_lead_and_knows_no_better_is_asked_again_until_the_route_does(int? hintedTerm)
    {
        await using var scene = await Scene.StartAsync();
        var hint = hintedTerm is { } term ? new LeaderHint("node-2", scene.Second.Address, term) : null;
        scene.First.Answer = (context, _, _) => FakeNode.Refused(context, ApiErrorCode.NotLeader, leader: hint);
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await Eventually.HoldsAsync(() => scene.First.Received.Count >= 3, "the node is asked again");
        Assert.Empty(scene.Second.Received);
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
        Assert.Empty(scene.Plane.Reports);
    }

    [Fact]
    public async Task A_node_that_is_unavailable_is_asked_again()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, before) => before < 3 ? FakeNode.Refused(context, ApiErrorCode.Unavailable, retryAfter: 1) : FakeNode.Appended(context);
        await scene.Gateway.AppendAsync("ch").AppendedAsync();
        Assert.Equal(4, scene.First.Received.Count);
        Assert.True(await scene.HasRetriedAsync("unavailable"));
    }

    [Theory]
    [InlineData("transactions")]
    [InlineData("transactions/3/commit")]
    [InlineData("transactions/3/rollback")]
    public async Task Transactions_are_begun_and_ended_again_when_nobody_knows_whether_they_were(string path)
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, before) => before == 0 ? FakeNode.Reset(context) : FakeNode.Appended(context);
        using var answer = await scene.Gateway.Client.PostAsync(new Uri($"channels/ch/{path}", UriKind.Relative), TestGateway.Json("{}"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(2, scene.First.Received.Count);
    }

    [Fact]
    public async Task A_channel_without_a_live_node_is_held_until_it_has_one()
    {
        await using var scene = await Scene.StartAsync();
        scene.Plane.TakeOffline("ch");
        await Eventually.HoldsAsync(() => scene.Gateway.Routes.Find("ch") is { Leader: null }, "the gateway knows that the channel is offline");
        var append = scene.Gateway.AppendAsync("ch").AppendedAsync();
        await scene.HoldsAsync(1);
        Assert.Empty(scene.First.Received);
        scene.Plane.Lead("ch", scene.Second, term: 2);
        await append;
    }

    [Fact]
    public async Task A_channel_that_does_not_exist_is_not_found_and_one_that_was_created_just_now_is()
    {
        await using var scene = await Scene.StartAsync();
        await scene.Gateway.AppendAsync("nothing").ProblemAsync(ApiErrorCode.NotFound);
        await scene.Gateway.AppendAsync("No_Name").ProblemAsync(ApiErrorCode.InvalidArgument);
        Assert.Equal(0, scene.Gateway.Services.GetRequiredService<LaneTable>().Made);

        scene.Plane.Lead("new", scene.First, term: 1);
        await Eventually.HoldsAsync(
            async () =>
            {
                using var answer = await scene.Gateway.AppendAsync("new");
                return answer.StatusCode == HttpStatusCode.OK;
            },
            "the new channel is known");
    }

    [Fact]
    public async Task A_channel_that_was_created_just_now_is_waited_for_beyond_a_route_that_was_made_before_it()
    {
        await using var scene = await Scene.StartAsync();
        var tries = 0;
        await Eventually.HoldsAsync(
            async () =>
            {
                // Half a second is little on a machine that is busy with something else: tried until it was enough.
                var append = scene.Gateway.AppendAsync($"new-{++tries}");
                await Task.WhenAny(append, scene.HoldsAsync(1));
                var version = scene.Gateway.Routes.Version;
                scene.Plane.Wake();
                await Eventually.HoldsAsync(() => scene.Gateway.Routes.Version > version, "a route from before the channel has come");
                scene.Plane.Lead($"new-{tries}", scene.First, term: 1);
                using var answer = await append;
                return answer.StatusCode == HttpStatusCode.OK;
            },
            "the new channel is waited for");
    }

    [Fact]
    public async Task When_the_time_is_over_the_answer_says_what_was_waited_for()
    {
        await using var scene = await Scene.StartAsync(("Gateway:HoldMs", "300"));
        await scene.First.DownAsync();
        await Eventually.HoldsAsync(
            async () =>
            {
                using var answer = await scene.Gateway.AppendAsync("ch");
                Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
                var problem = await Task.FromResult(answer).ProblemAsync(ApiErrorCode.Unavailable);
                Assert.Contains("Gateway:HoldMs", problem.Detail, StringComparison.Ordinal);
                return problem.Detail.Contains("no connection to node node-1", StringComparison.Ordinal);
            },
            "an append had the time to be refused");
    }

    [Fact]
    public async Task An_attempt_that_the_end_of_the_time_cuts_short_does_not_hide_what_came_before_it()
    {
        await using var scene = await Scene.StartAsync(("Gateway:HoldMs", "300"));
        var seen = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        scene.First.Answer = (context, request, _) =>
            seen.AddOrUpdate(request.Stamp!, 1, (_, attempts) => attempts + 1) == 1 ? FakeNode.Refused(context, ApiErrorCode.Unavailable) : FakeNode.Silent(context);
        var detail = "";
        await Eventually.HoldsAsync(
            async () =>
            {
                // Little time on a machine that is busy with something else: tried until it was enough for a second attempt.
                detail = (await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Unavailable)).Detail;
                return seen.Values.Any(attempts => attempts == 2);
            },
            "a second attempt was under way when the time was over");
        Assert.Contains(": node node-1: as the test wants it, and at last node node-1 gave no answer in time;", detail, StringComparison.Ordinal);
        Assert.True(await scene.HasRetriedAsync("holdOver"));
    }

    [Fact]
    public async Task A_silent_node_uses_up_the_time_and_no_more()
    {
        await using var scene = await Scene.StartAsync(("Gateway:HoldMs", "300"));
        scene.First.Answer = (context, _, _) => FakeNode.Silent(context);
        var detail = "";
        await Eventually.HoldsAsync(
            async () =>
            {
                detail = (await scene.Gateway.AppendAsync("ch").ProblemAsync(ApiErrorCode.Unavailable)).Detail;
                return !scene.First.Received.IsEmpty;
            },
            "the silent node had an append");
        Assert.Contains("node node-1 gave no answer in time", detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_that_waits_goes_on_at_the_new_leader_for_what_is_left_of_its_time()
    {
        await using var scene = await Scene.StartAsync();
        scene.First.Answer = (context, _, _) => FakeNode.Silent(context);
        var read = scene.Gateway.GetAsync("channels/ch/messages?from=4&waitMs=50000&max=7");
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the read waits at the node");
        scene.Plane.Lead("ch", scene.Second, term: 2);
        using var answer = await read;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("?from=4&waitMs=50000&max=7", Assert.Single(scene.First.Received).Query);
        var query = Assert.Single(scene.Second.Received).Query;
        Assert.Matches("^\\?waitMs=[0-9]+&from=4&max=7$", query);
        Assert.InRange(int.Parse(query["?waitMs=".Length..query.IndexOf('&', StringComparison.Ordinal)], CultureInfo.InvariantCulture), 0, 49_999);
    }

    [Fact]
    public async Task A_read_may_wait_at_a_node_for_longer_than_an_attempt_takes()
    {
        await using var scene = await Scene.StartAsync(("Gateway:AttemptTimeoutMs", "100"), ("Gateway:HoldMs", "100"));
        var answers = new TaskCompletionSource();
        scene.First.Answer = async (context, _, _) =>
        {
            await answers.Task;
            await FakeNode.Appended(context);
        };
        var read = scene.Gateway.GetAsync("channels/ch/messages?waitMs=60000");
        await Eventually.HoldsAsync(() => !scene.First.Received.IsEmpty, "the read waits at the node");
        var began = Stopwatch.StartNew();
        await Eventually.HoldsAsync(() => began.ElapsedMilliseconds > 300, "longer than an attempt and a hold take");
        answers.SetResult();
        using var answer = await read;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Single(scene.First.Received);
    }

    [Fact]
    public async Task A_thousand_appends_that_are_held_knock_one_after_the_other_and_all_go_when_there_is_a_leader()
    {
        const int Appends = 1_000;
        await using var scene = await Scene.StartAsync();
        var refusals = 0;
        scene.First.Answer = (context, _, _) =>
        {
            Interlocked.Increment(ref refusals);
            return FakeNode.Refused(context, ApiErrorCode.Unavailable);
        };
        var appends = Enumerable.Range(0, Appends).Select(_ => scene.Gateway.AppendAsync("ch").AppendedAsync()).ToArray();
        await scene.HoldsAsync(Appends);

        // Those that were under way when the first was refused are refused too; from then on at most one each 100 to 200 ms once the pause is at its longest.
        var (before, began) = (Volatile.Read(ref refusals), Stopwatch.StartNew());
        await Eventually.HoldsAsync(() => Volatile.Read(ref refusals) > before + 2, "somebody knocks");
        Assert.InRange(Volatile.Read(ref refusals) - before, 0, 10 + (began.ElapsedMilliseconds / 50));

        scene.Plane.Lead("ch", scene.Second, term: 2);
        await Task.WhenAll(appends);
        Assert.Equal(Appends, scene.Second.Received.Select(r => r.Stamp).Distinct().Count());
        Assert.Empty(scene.Plane.Reports);
    }
}
