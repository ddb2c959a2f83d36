using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Logging;

namespace Baton.Durable.Tests.Client;

#pragma warning disable CA1001 // xunit disposes through IAsyncLifetime.
public sealed class HttpDurableTaskClientTests : IAsyncLifetime
#pragma warning restore CA1001
{
    private readonly Queue<(int Status, string Body)> _answers = new();
    private readonly List<string> _requests = [];
    private readonly HttpClient _http = new();
    private WebApplication? _host;
    private HttpDurableTaskClient? _client;

    private HttpDurableTaskClient Client => _client!;

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _host = builder.Build();
        _host.Run(AnswerAsync);
        await _host.StartAsync();
        _client = new HttpDurableTaskClient(_http, new Uri($"{_host.Urls.Single()}/runtime/webhooks/durabletask/"), "?taskHub=Hub&code=se%2Fcret");
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _host!.DisposeAsync();
    }

    [Fact]
    public async Task Starts_an_instance_under_the_given_id_with_json_input_and_the_required_query()
    {
        _answers.Enqueue((202, """{"id":"op-1"}"""));
        Assert.Equal("op-1", await Client.ScheduleNewOrchestrationInstanceAsync("ForcedPromotion", new { Version = 2 }, new StartOrchestrationOptions("op-1")));
        Assert.Equal(["POST /orchestrators/ForcedPromotion/op-1?taskHub=Hub&code=se%2Fcret application/json {\"version\":2}"], _requests);
    }

    [Fact]
    public async Task Starts_an_instance_under_an_id_of_its_own_without_a_body_when_there_is_no_input()
    {
        _answers.Enqueue((202, "{}"));
        string id = await Client.ScheduleNewOrchestrationInstanceAsync("Broadcast");
        Assert.True(Guid.TryParseExact(id, "N", out _));
        Assert.Equal([$"POST /orchestrators/Broadcast/{id}?taskHub=Hub&code=se%2Fcret  "], _requests);
    }

    [Fact]
    public async Task A_duplicate_start_is_told_apart_from_other_refusals()
    {
        _answers.Enqueue((409, "{}"));
        _answers.Enqueue((400, """{"Message":"bad"}"""));
        var options = new StartOrchestrationOptions("op-1");
        OrchestrationAlreadyExistsException exists = await Assert.ThrowsAsync<OrchestrationAlreadyExistsException>(() => Client.ScheduleNewOrchestrationInstanceAsync("X", options: options));
        Assert.Equal("op-1", exists.InstanceId);
        DurableTaskClientException refused = await Assert.ThrowsAsync<DurableTaskClientException>(() => Client.ScheduleNewOrchestrationInstanceAsync("X", options: options));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("bad", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("se%2Fcret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reads_a_status_with_inputs_and_outputs_when_asked()
    {
        const string Body = """
            {"name":"P","instanceId":"i","runtimeStatus":"Completed","input":{"a":1},"customStatus":"Report","output":[1,2],"createdTime":"2026-01-02T03:04:05Z","lastUpdatedTime":"2026-01-02T03:04:06Z"}
            """;
        _answers.Enqueue((200, Body));
        _answers.Enqueue((200, Body));
        OrchestrationMetadata full = (await Client.GetInstanceAsync("i", getInputsAndOutputs: true))!;
        OrchestrationMetadata brief = (await Client.GetInstanceAsync("i"))!;
        Assert.Equal(["GET /instances/i?showInput=true&taskHub=Hub&code=se%2Fcret  ", "GET /instances/i?showInput=false&taskHub=Hub&code=se%2Fcret  "], _requests);
        Assert.Equal(("P", "i", OrchestrationRuntimeStatus.Completed, true, false), (full.Name, full.InstanceId, full.RuntimeStatus, full.IsCompleted, full.IsRunning));
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), full.CreatedAt);
        Assert.Equal("""{"a":1}""", full.SerializedInput);
        Assert.Equal([1, 2], full.ReadOutputAs<int[]>()!);
        Assert.Equal("Report", full.ReadCustomStatusAs<string>());
        Assert.Equal((null, null, null), (brief.SerializedInput, brief.SerializedOutput, brief.SerializedCustomStatus));
    }

    [Fact]
    public async Task An_unknown_instance_is_null_and_cannot_be_waited_for()
    {
        _answers.Enqueue((404, "{}"));
        _answers.Enqueue((404, "{}"));
        Assert.Null(await Client.GetInstanceAsync("i"));
        DurableTaskClientException missing = await Assert.ThrowsAsync<DurableTaskClientException>(() => Client.WaitForInstanceCompletionAsync("i"));
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Waits_through_every_state_that_is_not_an_end()
    {
        foreach (string state in (string[])["Pending", "Running", "ContinuedAsNew", "Suspended"])
        {
            _answers.Enqueue((202, Status(state)));
        }

        _answers.Enqueue((200, Status("Failed")));
        Assert.Equal(OrchestrationRuntimeStatus.Failed, (await Client.WaitForInstanceCompletionAsync("i")).RuntimeStatus);
        Assert.Equal(5, _requests.Count);
    }

    [Fact]
    public async Task Raises_events_and_steers_instances()
    {
        for (int i = 0; i < 5; i++)
        {
            _answers.Enqueue((202, string.Empty));
        }

        await Client.RaiseEventAsync("i 1", "Go/On", new { N = 1 });
        await Client.RaiseEventAsync("i 1", "Go");
        await Client.TerminateInstanceAsync("i 1", "a&b");
        await Client.SuspendInstanceAsync("i 1");
        await Client.ResumeInstanceAsync("i 1");
        Assert.Equal(
            [
                "POST /instances/i%201/raiseEvent/Go%2FOn?taskHub=Hub&code=se%2Fcret application/json {\"n\":1}",
                "POST /instances/i%201/raiseEvent/Go?taskHub=Hub&code=se%2Fcret application/json null",
                "POST /instances/i%201/terminate?reason=a%26b&taskHub=Hub&code=se%2Fcret  ",
                "POST /instances/i%201/suspend?taskHub=Hub&code=se%2Fcret  ",
                "POST /instances/i%201/resume?taskHub=Hub&code=se%2Fcret  ",
            ],
            _requests);
    }

    [Fact]
    public async Task An_instance_that_has_ended_takes_no_event()
    {
        _answers.Enqueue((410, string.Empty));
        DurableTaskClientException gone = await Assert.ThrowsAsync<DurableTaskClientException>(() => Client.RaiseEventAsync("i", "Go"));
        Assert.Equal(HttpStatusCode.Gone, gone.StatusCode);
    }

    [Fact]
    public async Task Purges_and_counts_none_when_there_was_none()
    {
        _answers.Enqueue((200, """{"instancesDeleted":1}"""));
        _answers.Enqueue((404, "{}"));
        Assert.Equal(1, (await Client.PurgeInstanceAsync("i")).PurgedInstanceCount);
        Assert.Equal(0, (await Client.PurgeInstanceAsync("i")).PurgedInstanceCount);
        Assert.Equal("DELETE /instances/i?taskHub=Hub&code=se%2Fcret  ", _requests[0]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@entity")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData("a#b")]
    [InlineData("a?b")]
    [InlineData("a\nb")]
    [InlineData("..")]
    public async Task An_id_that_would_reach_another_resource_is_refused(string id)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Client.TerminateInstanceAsync(id));
        await Assert.ThrowsAsync<ArgumentException>(() => Client.ScheduleNewOrchestrationInstanceAsync("X", options: new StartOrchestrationOptions(id)));
        Assert.Empty(_requests);
    }

    private static string Status(string state)
        => $$"""{"name":"P","instanceId":"i","runtimeStatus":"{{state}}","createdTime":"2026-01-02T03:04:05Z","lastUpdatedTime":"2026-01-02T03:04:06Z"}""";

    private async Task AnswerAsync(HttpContext call)
    {
        using var reader = new StreamReader(call.Request.Body, Encoding.UTF8);
        string body = await reader.ReadToEndAsync();
        string uri = call.Request.GetEncodedPathAndQuery().Replace("/runtime/webhooks/durabletask", string.Empty, StringComparison.Ordinal);
        _requests.Add($"{call.Request.Method} {uri} {call.Request.ContentType?.Split(';')[0]} {body}");
        (int status, string answer) = _answers.Dequeue();
        call.Response.StatusCode = status;
        call.Response.ContentType = "application/json";
        await call.Response.WriteAsync(answer);
    }
}
