using System.Text;
using Baton.Core.Recovery;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>What operators and tools ask of recoveries.</summary>
public sealed class RecoveryHttpTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    [Theory]
    [InlineData(400, """ """)]
    [InlineData(400, """[]""")]
    [InlineData(400, """null""")]
    [InlineData(400, """{"channel":"ch1","epoch":1""")]
    [InlineData(400, """{"epoch":1,"replicas":[]}""")]
    [InlineData(400, """{"channel":"","epoch":1,"replicas":[]}""")]
    [InlineData(400, """{"channel":"CH 1","epoch":1,"replicas":[]}""")]
    [InlineData(400, """{"channel":7,"epoch":1,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":0,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":-1,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1.5,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":"1","replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":99999999999999999999,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":null}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":{}}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[null]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":["n2"]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"no such"}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n9"}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n1"}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"},{"replicaId":"n2"}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2","other":1}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2","endpoint":{}}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2","endpoint":{"dataAddress":"http://evil.example/","controlAddress":"http://evil.example/","version":1}}]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[],"other":1}""")]
    [InlineData(400, """{"channel":"ch1","channel":"ch2","epoch":1,"replicas":[]}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"n2":"mend"}}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"n2":2}}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"n2":null}}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"N 2":"catchup"}}""")]
    [InlineData(400, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":["n2"]}""")]
    [InlineData(404, """{"channel":"ch9","epoch":1,"replicas":[]}""")]
    [InlineData(409, """{"channel":"ch1","epoch":2,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"n2":"catchup"}}""")]
    public async Task What_cannot_be_an_intent_is_a_problem_and_changes_nothing(int status, string body)
    {
        await using var plane = await StartAsync();
        var (before, events) = (await plane.SenderAsync(), await plane.EventsAsync());
        plane.Storage.Clear();

        var answer = await AssignAsync(plane, body);

        Assert.True(status == answer.Status, $"{answer.Status}: {answer.Body}");
        Assert.Equal(status, answer.Problem.Status);
        Assert.All(plane.Storage.Calls, c => Assert.StartsWith("GET", c, StringComparison.Ordinal));
        Assert.Equal(before, await plane.SenderAsync());
        Assert.Equal(events, await plane.EventsAsync());
        Assert.Single(plane.Engine.InstanceIds);
    }

    [Fact]
    public async Task A_body_that_is_too_long_or_has_too_many_targets_is_refused()
    {
        await using var plane = await StartAsync();
        var targets = string.Join(',', Enumerable.Range(0, 17).Select(i => $"\"m{i}\":\"catchup\""));

        Assert.Equal(400, (await AssignAsync(plane, $$"""{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{ {{targets}} } }""")).Status);
        Assert.InRange((await AssignAsync(plane, $$"""{"channel":"{{new string('c', 70_000)}}","epoch":1,"replicas":[]}""")).Status, 400, 413);
    }

    [Fact]
    public async Task An_intent_begins_sessions_and_the_same_again_changes_nothing()
    {
        await using var plane = await StartAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("rebuild");
        var endpoint = plane.Node("n2").Endpoint;
        var body = $$"""{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2","endpoint":{"dataAddress":"{{endpoint}}","controlAddress":"{{endpoint}}","version":1} }],"recoveryTargets":{"n2":"rebuild","n7":"catchup"} }""";

        var first = await AssignAsync(plane, body);
        await asked;
        var again = await AssignAsync(plane, body);
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();

        Assert.Equal("""{"added":[],"removed":[],"sessionsCreated":["n2"],"sessionsSuperseded":[],"sessionsFailed":["n7"]}""", first.Body);
        Assert.Equal("""{"added":[],"removed":[],"sessionsCreated":[],"sessionsSuperseded":[],"sessionsFailed":["n7"]}""", again.Body);
        Assert.Contains("rebuild_completed in_sync", await plane.EventTextsAsync((await plane.EventsAsync()).Max(e => e.SessionId)));
        await plane.AssertSoundAsync();
    }

    [Fact]
    public async Task RM1_An_intent_of_a_term_that_is_over_fails_whole_and_changes_no_replica()
    {
        await using var plane = await StartAsync();
        await plane.RaiseTermAsync();
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        var before = await plane.SenderAsync();

        var answer = await AssignAsync(plane, """{"channel":"ch1","epoch":1,"replicas":[],"recoveryTargets":{"n2":"rebuild"}}""");

        Assert.Equal((200, """{"added":[],"removed":[],"sessionsCreated":[],"sessionsSuperseded":[],"sessionsFailed":["n2"]}"""), (answer.Status, answer.Body));
        Assert.Equal(before, await plane.SenderAsync());
    }

    [Fact]
    public async Task RC12_An_intent_of_another_kind_takes_the_place_of_the_session_that_runs()
    {
        await using var plane = await azurite.StartRecoveriesAsync();
        var (asked, letGo) = plane.Node("n2").HangAt("catch-up");
        await plane.SweepRecoveriesAsync();
        await asked;

        var answer = await AssignAsync(plane, """{"channel":"ch1","epoch":1,"replicas":[{"replicaId":"n2"}],"recoveryTargets":{"n2":"rebuild"}}""");
        await Until.TrueAsync(async () => (await plane.EventTextsAsync(1)).Contains("pins_released", StringComparer.Ordinal));
        letGo.SetResult();
        await plane.RecoveriesAreOverAsync();

        Assert.Contains("\"sessionsSuperseded\":[\"n2\"]", answer.Body, StringComparison.Ordinal);
        Assert.True((await plane.SenderAsync())!.IsInSync);
        Assert.Equal("rebuild_completed in_sync", (await plane.EventTextsAsync((await plane.EventsAsync()).Max(e => e.SessionId)))[^2]);
        Assert.Empty(await plane.PinsAsync());
    }

    [Fact]
    public async Task What_is_known_can_be_read_whole_and_by_channel_and_replica()
    {
        await using var plane = await azurite.StartRecoveriesAsync(["ch1", "ch2"], replicas: 2);
        await plane.RecoverAsync();

        async Task<string[]> ReplicasAsync(string? query) =>
            [.. (await plane.CallAsync<RecoveryRead>((f, r) => f.ReplicasAsync(r, default), null, query)).Read<RecoveryView[]>().Select(v => $"{v.Channel}/{v.ReplicaId} {v.State} {v.Epoch}")];

        Assert.Equal(["ch1/n2 InSync 1", "ch1/n3 InSync 1", "ch2/n2 InSync 1", "ch2/n3 InSync 1"], await ReplicasAsync(null));
        Assert.Equal(["ch2/n2 InSync 1", "ch2/n3 InSync 1"], await ReplicasAsync("?channel=ch2"));
        Assert.Empty(await ReplicasAsync("?channel=ch9"));

        async Task<RecoveryEntry[]> LogAsync(string? query) => (await plane.CallAsync<RecoveryRead>((f, r) => f.LogAsync(r, default), null, query)).Read<RecoveryEntry[]>();

        var all = await LogAsync(null);
        Assert.Equal(all.OrderByDescending(e => e.At).Select(e => e.At), all.Select(e => e.At));
        Assert.Equal(all.Where(e => e.Channel == "ch2"), await LogAsync("?channel=ch2"));
        Assert.Equal(all.Where(e => e is { Channel: "ch2", Replica: "n3" }), await LogAsync("?channel=ch2&replica=n3"));
        Assert.Equal(all.Take(3), await LogAsync("?last=3"));
        Assert.Empty(await LogAsync("?replica=n9"));
        foreach (var wrong in new[] { "?last=0", "?last=1001", "?last=x", "?channel=A%20B", "?replica='" })
        {
            Assert.Equal(400, (await plane.CallAsync<RecoveryRead>((f, r) => f.LogAsync(r, default), null, wrong)).Problem.Status);
        }

        Assert.Equal(400, (await plane.CallAsync<RecoveryRead>((f, r) => f.ReplicasAsync(r, default), null, "?channel=A%20B")).Problem.Status);
    }

    [Fact]
    public async Task Only_a_session_that_runs_can_be_cancelled()
    {
        await using var plane = await StartAsync();

        Assert.Equal((200, """{"ended":false}"""), await plane.CancelAsync("ch1", "n2") is var known ? (known.Status, known.Body) : default);
        Assert.Equal(404, (await plane.CancelAsync("ch1", "n9")).Problem.Status);
        Assert.Equal(404, (await plane.CancelAsync("ch9", "n2")).Problem.Status);
        Assert.DoesNotContain(await plane.EventsAsync(), e => e.Event == RecoveryEvents.SessionInvalidated);
        Assert.True((await plane.SenderAsync())!.IsInSync);
    }

    private static Task<Answer> AssignAsync(ControlPlane plane, string body) => plane.CallAsync<RecoveryAssign>((f, r) => f.RunAsync(r, plane.Engine, default), Encoding.UTF8.GetBytes(body));

    private async Task<ControlPlane> StartAsync()
    {
        var plane = await azurite.StartRecoveriesAsync();
        plane.Replica().Holding(100);
        await plane.BeatRecoveriesAsync();
        await plane.RecoverAsync();
        return plane;
    }
}
