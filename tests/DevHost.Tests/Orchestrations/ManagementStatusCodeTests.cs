using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Baton.Testing;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>The management API row by row: what is answered to what, also when it is refused.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "xunit calls DisposeAsync.")]
public sealed class ManagementStatusCodeTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly EngineHub _hub = new(azurite.NewAccount());
    private ManagementApiHost? _host;

    private ManagementApiHost Api => _host!;

    public async Task InitializeAsync() => _host = await ManagementApiHost.StartAsync(await _hub.StartEngineAsync(
        new ScriptedApp()
            .Activity<string>("Say", text => $"said {text}")
            .Orchestrator("Echo", context => Task.FromResult<object?>(context.GetInput<JsonNode>()))
            .Orchestrator("Failing", _ => throw new InvalidOperationException("bad luck"))
            .Orchestrator("Talking", async context => await context.CallActivityAsync<string>("Say", "hi"))
            .Orchestrator("Waiting", async context => await context.WaitForExternalEvent<string>("go"))));

    public async Task DisposeAsync()
    {
        await _host!.DisposeAsync();
        await _hub.DisposeAsync();
    }

    [Theory]
    [InlineData("POST", "orchestrators/NoSuch", null, 400)]
    [InlineData("POST", "orchestrators/Echo", "{not json", 400)]
    [InlineData("POST", "orchestrators/Echo/@id", null, 400)]
    [InlineData("POST", "orchestrators/Echo/a%23b", null, 400)]
    [InlineData("POST", "orchestrators/Echo/a%3Fb", null, 400)]
    [InlineData("POST", "orchestrators/Echo/a%5Cb", null, 400)]
    [InlineData("POST", "orchestrators/Echo/a%01b", null, 400)]
    [InlineData("POST", "orchestrators/Waiting/waiting", null, 409)]
    [InlineData("POST", "orchestrators/Echo?timeout=1&pollingInterval=2", "1", 400)]
    [InlineData("GET", "orchestrators/Echo", null, 404)]
    [InlineData("GET", "instances/none", null, 404)]
    [InlineData("GET", "instances/waiting", null, 202)]
    [InlineData("GET", "instances/ended", null, 200)]
    [InlineData("GET", "instances/failed", null, 200)]
    [InlineData("GET", "instances/failed?returnInternalServerErrorOnFailure=true", null, 500)]
    [InlineData("GET", "instances/ended?returnInternalServerErrorOnFailure=true", null, 200)]
    [InlineData("PUT", "instances/ended", null, 404)]
    [InlineData("DELETE", "instances/none", null, 404)]
    [InlineData("DELETE", "instances/waiting", null, 412)]
    [InlineData("DELETE", "instances/ended", null, 200)]
    [InlineData("DELETE", "instances", null, 400)]
    [InlineData("DELETE", "instances?createdTimeFrom=no-time", null, 400)]
    [InlineData("DELETE", "instances/?createdTimeFrom=2100-01-01T00:00:00Z", null, 404)]
    [InlineData("DELETE", "instances/?createdTimeFrom=2020-01-01T00:00:00Z&runtimeStatus=Terminated", null, 404)]
    [InlineData("POST", "instances/none/raiseEvent/go", "1", 404)]
    [InlineData("POST", "instances/ended/raiseEvent/go", "1", 410)]
    [InlineData("POST", "instances/ended/raiseEvent/go", "{", 410)]
    [InlineData("POST", "instances/waiting/raiseEvent/go", "{", 400)]
    [InlineData("POST", "instances/waiting/raiseEvent/go", null, 400)]
    [InlineData("POST", "instances/waiting/raiseEvent/other", "1", 202)]
    [InlineData("GET", "instances/waiting/raiseEvent/go", null, 404)]
    [InlineData("POST", "instances/none/terminate", null, 404)]
    [InlineData("POST", "instances/none/suspend", null, 404)]
    [InlineData("POST", "instances/none/resume", null, 404)]
    [InlineData("POST", "instances/ended/terminate", null, 410)]
    [InlineData("POST", "instances/failed/suspend", null, 410)]
    [InlineData("POST", "instances/ended/resume", null, 410)]
    [InlineData("POST", "instances/waiting/TERMINATE?reason=enough", null, 202)]
    [InlineData("POST", "instances/waiting/suspend", null, 202)]
    [InlineData("POST", "instances/waiting/resume", null, 202)]
    [InlineData("POST", "instances/none/rewind", null, 404)]
    [InlineData("POST", "instances/ended/rewind", null, 412)]
    [InlineData("POST", "instances/waiting/rewind", null, 412)]
    [InlineData("POST", "instances/failed/rewind", null, 501)]
    [InlineData("POST", "instances/none/restart", null, 400)]
    [InlineData("POST", "instances/waiting/restart?restartWithNewInstanceId=false", null, 409)]
    [InlineData("POST", "instances/waiting/restart", null, 202)]
    [InlineData("POST", "instances/ended/restart?restartWithNewInstanceId=false", null, 202)]
    [InlineData("POST", "instances/ended/no-such-verb", null, 404)]
    [InlineData("GET", "instances/ended?taskHub=OtherHub", null, 400)]
    [InlineData("GET", "nothing/here", null, 404)]
    public async Task Every_call_has_its_status(string method, string path, string? body, int expected)
    {
        await _host!.PostAsync("orchestrators/Echo/ended", "1");
        await Api.PostAsync("orchestrators/Failing/failed");
        await Api.PostAsync("orchestrators/Waiting/waiting");
        await Api.UntilAsync("ended", "Completed");
        await Api.UntilAsync("failed", "Failed");
        var split = path.Split('?');
        using var request = new HttpRequestMessage(new HttpMethod(method), Api.At(split[0], split.Length > 1 ? split[1] : ""));
        request.Content = body is null ? null : new StringContent(body, System.Text.Encoding.UTF8, "application/json");

        using var response = await Api.Http.SendAsync(request);

        Assert.Equal(expected, (int)response.StatusCode);
        if (expected >= 400 && expected != 500)
        {
            Assert.NotEmpty((string)(await ManagementApiHost.BodyAsync(response))["Message"]!);
        }
    }

    [Fact]
    public async Task An_event_of_another_content_type_is_refused_while_a_start_asks_for_JSON_only()
    {
        Assert.Equal(HttpStatusCode.Accepted, (await Api.PostAsync("orchestrators/Waiting/one", "1", type: "text/plain")).StatusCode);

        Assert.Equal(HttpStatusCode.BadRequest, (await Api.PostAsync("instances/one/raiseEvent/go", "\"a\"", type: "text/plain")).StatusCode);
    }

    [Theory]
    [InlineData("Echo", "timeout=60&pollingInterval=1", 200, "{\"b\":[2]}")]
    [InlineData("Echo", "timeout=60", 200, "{\"b\":[2]}")]
    [InlineData("Waiting", "timeout=0.05&pollingInterval=0.01", 202, "statusQueryGetUri")]
    [InlineData("Echo", "timeout=never&pollingInterval=-1", 202, "statusQueryGetUri")]
    [InlineData("Failing", "timeout=60&pollingInterval=1&returnInternalServerErrorOnFailure=true", 200, "\"runtimeStatus\":\"Failed\"")]
    public async Task A_start_that_waits_answers_what_came_of_it(string name, string query, int expected, string contains)
    {
        using var response = await Api.PostAsync($"orchestrators/{name}", "{\"b\":[2]}", query);

        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Contains(contains, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var restarted = await Api.PostAsync($"instances/{await NewestAsync()}/restart", query: query);
        Assert.Equal(expected, (int)restarted.StatusCode);
    }

    [Fact]
    public async Task The_addresses_of_an_instance_lead_to_it()
    {
        using var response = await Api.PostAsync("orchestrators/Waiting/o%20n", "1");

        Assert.Equal(TimeSpan.FromSeconds(10), response.Headers.RetryAfter!.Delta);
        var body = await ManagementApiHost.BodyAsync(response);
        Assert.Equal(
            ["id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri", "restartPostUri", "suspendPostUri", "resumePostUri"],
            body.Select(p => p.Key));
        using var status = await Api.Http.GetAsync(new Uri((string)body["statusQueryGetUri"]!));
        Assert.Equal(HttpStatusCode.Accepted, status.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(5), status.Headers.RetryAfter!.Delta);
        Assert.Equal(new Uri((string)body["statusQueryGetUri"]!), status.Headers.Location);
        foreach (var verb in new[] { "suspendPostUri", "resumePostUri", "terminatePostUri" })
        {
            var address = ((string)body[verb]!).Replace("{text}", "why", StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.Accepted, (await Api.Http.PostAsync(new Uri(address), null)).StatusCode);
        }

        Assert.Equal("why", (string?)(await Api.UntilAsync("o%20n", "Terminated"))["output"]);
    }

    [Fact]
    public async Task Times_are_cut_to_seconds_and_end_in_Z()
    {
        await Api.PostAsync("orchestrators/Echo/one", "1");
        var status = await Api.UntilAsync("one", "Completed");

        foreach (var time in new[] { "createdTime", "lastUpdatedTime" })
        {
            Assert.True(DateTime.TryParseExact((string?)status[time], "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.None, out _), (string?)status[time]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_history_shows_what_was_scheduled_with_what_became_of_it(bool showOutput)
    {
        await Api.PostAsync("orchestrators/Talking/one");
        await Api.UntilAsync("one", "Completed");

        var status = await ManagementApiHost.BodyAsync(await Api.GetAsync("instances/one", $"showHistory=true&showHistoryOutput={showOutput}"));

        var events = status["historyEvents"]!.AsArray();
        Assert.Equal(["ExecutionStarted", "TaskCompleted", "ExecutionCompleted"], events.Select(e => (string?)e!["EventType"]));
        Assert.Equal(["Talking", "Say", null], events.Select(e => (string?)e!["FunctionName"]));
        Assert.NotNull(events[1]!["ScheduledTime"]);
        Assert.Equal("Completed", (string?)events[2]!["OrchestrationStatus"]);
        Assert.Equal(showOutput, events[1]!["Result"] is not null);
        Assert.Equal(showOutput ? "said hi" : null, (string?)events[2]!["Result"]);
        Assert.Null((await ManagementApiHost.BodyAsync(await Api.GetAsync("instances/one")))["historyEvents"]);
    }

    [Theory]
    [InlineData("", "a1,a2,b1,w1")]
    [InlineData("instanceIdPrefix=a", "a1,a2")]
    [InlineData("runtimeStatus=Failed", "b1")]
    [InlineData("runtimeStatus=Failed,Running", "b1,w1")]
    [InlineData("runtimeStatus=Failed&runtimeStatus=Running", "b1,w1")]
    [InlineData("runtimeStatus=NoSuch", "a1,a2,b1,w1")]
    [InlineData("runtimeStatus=NoSuch,Failed", "b1")]
    [InlineData("createdTimeFrom=2100-01-01T00:00:00Z", "")]
    [InlineData("createdTimeTo=2000-01-01T00:00:00Z", "")]
    [InlineData("createdTimeFrom=nonsense&top=-3", "a1,a2,b1,w1")]
    public async Task A_list_takes_filters_and_leaves_aside_what_it_cannot_read(string query, string expected)
    {
        foreach (var (name, id, status) in new[] { ("Echo", "a1", "Completed"), ("Echo", "a2", "Completed"), ("Failing", "b1", "Failed"), ("Waiting", "w1", "Running") })
        {
            await Api.PostAsync($"orchestrators/{name}/{id}", "1");
            await Api.UntilAsync(id, status);
        }

        foreach (var path in new[] { "instances", "instances/" })
        {
            using var response = await Api.GetAsync(path, query);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(expected, string.Join(',', (await response.Content.ReadFromJsonAsync<JsonArray>())!.Select(i => (string?)i!["instanceId"])));
        }
    }

    [Theory]
    [InlineData("not base64!")]
    [InlineData("/w==")]
    public async Task A_continuation_token_that_is_none_is_refused(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Api.At("instances"));
        request.Headers.TryAddWithoutValidation("x-ms-continuation-token", token);

        using var response = await Api.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task An_engine_that_has_stopped_says_so()
    {
        await Api.Engine.StopAsync(CancellationToken.None);

        using var refused = await Api.PostAsync("orchestrators/Echo/one", "1");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    private async Task<string> NewestAsync()
    {
        using var response = await Api.GetAsync("instances");
        return (string)(await response.Content.ReadFromJsonAsync<JsonArray>())!.Single()!["instanceId"]!;
    }
}
