using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Baton.Durable.Tests.Client;

#pragma warning disable CA1001 // xunit disposes through IAsyncLifetime.
public sealed class HttpDurableTaskClientTests : IAsyncLifetime
#pragma warning restore CA1001
{
    private const string ContinuationHeader = "x-ms-continuation-token";

    private readonly Queue<(int Status, string Body)> _answers = new();
    private readonly Queue<string> _continuations = new();
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

    [Fact]
    public async Task Starts_an_instance_with_a_version()
    {
        _answers.Enqueue((202, "{}"));
        await Client.ScheduleNewOrchestrationInstanceAsync("X", options: new StartOrchestrationOptions("i") { Version = "2.0 b" });
        Assert.Equal(["POST /orchestrators/X/i?version=2.0%20b&taskHub=Hub&code=se%2Fcret  "], _requests);
    }

    [Fact]
    public async Task Waits_until_an_instance_is_no_longer_pending()
    {
        _answers.Enqueue((202, Status("Pending")));
        _answers.Enqueue((202, Status("Running")));
        Assert.Equal(OrchestrationRuntimeStatus.Running, (await Client.WaitForInstanceStartAsync("i")).RuntimeStatus);
        _answers.Enqueue((404, "{}"));
        await Assert.ThrowsAsync<DurableTaskClientException>(() => Client.WaitForInstanceStartAsync("i"));
    }

    [Fact]
    public async Task Lists_instances_page_by_page_also_past_an_empty_page()
    {
        _answers.Enqueue((200, $"[{Status("Running")},{Status("Failed")}]"));
        _answers.Enqueue((200, "[]"));
        _answers.Enqueue((200, $"[{Status("Pending")}]"));
        foreach (string token in (string[])["t1", "t2", string.Empty])
        {
            _continuations.Enqueue(token);
        }

        var statuses = new List<OrchestrationRuntimeStatus>();
        await foreach (OrchestrationMetadata instance in Client.GetAllInstancesAsync())
        {
            statuses.Add(instance.RuntimeStatus);
        }

        Assert.Equal([OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Pending], statuses);
        const string List = "GET /instances/?showInput=false&top=100&taskHub=Hub&code=se%2Fcret  ";
        Assert.Equal([List, $"{List} from t1", $"{List} from t2"], _requests);
    }

    [Fact]
    public async Task Lists_the_instances_that_fit_a_filter_and_fetches_no_page_that_nobody_reads()
    {
        _answers.Enqueue((200, $"[{Status("Running")}]"));
        _continuations.Enqueue("more");
        var filter = new OrchestrationQuery(
            CreatedFrom: new DateTimeOffset(2026, 1, 2, 5, 4, 5, TimeSpan.FromHours(2)),
            CreatedTo: new DateTimeOffset(2026, 1, 3, 0, 0, 0, TimeSpan.Zero),
            Statuses: [OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Pending],
            InstanceIdPrefix: "promote-",
            PageSize: 5,
            FetchInputsAndOutputs: true,
            ContinuationToken: "t0");
        await foreach (OrchestrationMetadata instance in Client.GetAllInstancesAsync(filter))
        {
            Assert.Equal("i", instance.InstanceId);
            break;
        }

        Assert.Equal(
            [
                "GET /instances/?instanceIdPrefix=promote-&createdTimeFrom=2026-01-02T03%3A04%3A05.0000000Z&createdTimeTo=2026-01-03T00%3A00%3A00.0000000Z"
                    + "&runtimeStatus=Running%2CPending&showInput=true&top=5&taskHub=Hub&code=se%2Fcret   from t0",
            ],
            _requests);
    }

    [Fact]
    public async Task Refuses_to_list_what_it_cannot_and_says_what_the_host_refused()
    {
        Assert.Throws<ArgumentException>(() => Client.GetAllInstancesAsync(new OrchestrationQuery(TaskHubNames: ["Other"])));
        Assert.Throws<ArgumentOutOfRangeException>(() => Client.GetAllInstancesAsync(new OrchestrationQuery(PageSize: 0)));
        _answers.Enqueue((400, """{"Message":"bad"}"""));
        DurableTaskClientException refused = await Assert.ThrowsAsync<DurableTaskClientException>(async () => await Client.GetAllInstancesAsync().GetAsyncEnumerator().MoveNextAsync());
        Assert.Contains("list of instances with 400", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Purges_by_filter_and_counts_none_when_none_fits()
    {
        _answers.Enqueue((200, """{"instancesDeleted":7}"""));
        _answers.Enqueue((404, "{}"));
        var filter = new PurgeInstancesFilter(CreatedTo: new DateTimeOffset(2026, 1, 3, 0, 0, 0, TimeSpan.Zero), Statuses: [OrchestrationRuntimeStatus.Completed]);
        Assert.Equal(7, (await Client.PurgeAllInstancesAsync(filter)).PurgedInstanceCount);
        Assert.Equal(0, (await Client.PurgeAllInstancesAsync(new PurgeInstancesFilter())).PurgedInstanceCount);
        Assert.Equal(
            [
                "DELETE /instances/?createdTimeFrom=1970-01-01T00%3A00%3A00.0000000Z&createdTimeTo=2026-01-03T00%3A00%3A00.0000000Z&runtimeStatus=Completed&taskHub=Hub&code=se%2Fcret  ",
                "DELETE /instances/?createdTimeFrom=1970-01-01T00%3A00%3A00.0000000Z&taskHub=Hub&code=se%2Fcret  ",
            ],
            _requests);
    }

    [Fact]
    public async Task Restarts_an_instance_in_its_place_or_under_a_new_id()
    {
        _answers.Enqueue((202, """{"id":"i"}"""));
        _answers.Enqueue((202, """{"id":"new"}"""));
        _answers.Enqueue((409, "{}"));
        Assert.Equal("i", await Client.RestartAsync("i"));
        Assert.Equal("new", await Client.RestartAsync("i", restartWithNewInstanceId: true));
        await Assert.ThrowsAsync<OrchestrationAlreadyExistsException>(() => Client.RestartAsync("i"));
        Assert.Equal("POST /instances/i/restart?restartWithNewInstanceId=false&taskHub=Hub&code=se%2Fcret  ", _requests[0]);
        Assert.Equal("POST /instances/i/restart?restartWithNewInstanceId=true&taskHub=Hub&code=se%2Fcret  ", _requests[1]);
    }

    [Fact]
    public async Task Rewinds_a_failed_instance_if_the_host_can()
    {
        _answers.Enqueue((202, string.Empty));
        _answers.Enqueue((501, "{}"));
        await Client.RewindInstanceAsync("i", "fixed it");
        Assert.Equal("POST /instances/i/rewind?reason=fixed%20it&taskHub=Hub&code=se%2Fcret  ", _requests[0]);
        Assert.Equal(HttpStatusCode.NotImplemented, (await Assert.ThrowsAsync<DurableTaskClientException>(() => Client.RewindInstanceAsync("i", "again"))).StatusCode);
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
        string continuation = call.Request.Headers.TryGetValue(ContinuationHeader, out StringValues token) ? $" from {token}" : string.Empty;
        _requests.Add($"{call.Request.Method} {uri} {call.Request.ContentType?.Split(';')[0]} {body}{continuation}");
        if (_continuations.TryDequeue(out string? next) && next.Length > 0)
        {
            call.Response.Headers[ContinuationHeader] = next;
        }

        (int status, string answer) = _answers.Dequeue();
        call.Response.StatusCode = status;
        call.Response.ContentType = "application/json";
        await call.Response.WriteAsync(answer);
    }
}
