using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.Functions.Tests.Hosting;

public sealed class AnswerTests(SampleApp app) : IClassFixture<SampleApp>
{
    [Fact]
    public async Task The_host_finds_the_app_ready_at_once()
    {
        using var response = await app.Client.GetAsync(new Uri("/", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("json", 200, "application/json; charset=utf-8", """{"at":"1970-01-01T00:00:00+00:00","state":"applied"}""")]
    [InlineData("created", 201, "application/json; charset=utf-8", """{"id":"a","count":1}""")]
    [InlineData("empty", 204, null, "")]
    [InlineData("unchanged", 304, null, "")]
    [InlineData("base64", 200, "text/plain; charset=utf-8", "dGVzdA==")]
    [InlineData("unicode", 200, "text/plain; charset=utf-8", "grüße, 世界 🚀 \u0001")]
    [InlineData("none", 404, null, "")]
    public async Task A_result_is_the_same_answer_forwarded_and_in_an_envelope(string kind, int status, string? contentType, string body)
    {
        var call = Answers("GET", kind);
        using var forwarded = await app.Client.ForwardAsync(call);
        var (_, answer) = await app.Client.InvokeAsync("Answers", ("request", HostCalls.Http(call)));
        var enveloped = answer.HttpOutput();

        Assert.Equal(status, (int)forwarded.StatusCode);
        Assert.Equal(contentType, forwarded.Content.Headers.ContentType?.ToString());
        Assert.Equal(body, await forwarded.Content.ReadAsStringAsync());
        Assert.Equal("kept", forwarded.Headers.GetValues("X-Set-Before").Single());

        Assert.Equal(status, enveloped.Status);
        Assert.Equal(contentType, enveloped.Headers.GetValueOrDefault("Content-Type"));
        Assert.Equal(body, enveloped.Body);
        Assert.Equal("kept", enveloped.Headers["X-Set-Before"]);
        Assert.Equal(forwarded.Headers.Location?.ToString(), enveloped.Headers.GetValueOrDefault("Location"));
        Assert.False(enveloped.Headers.ContainsKey("Content-Length"));
    }

    [Fact]
    public async Task Bytes_go_out_forwarded_and_are_refused_in_an_envelope()
    {
        var call = Answers("GET", "binary");
        using var forwarded = await app.Client.ForwardAsync(call);
        var (status, _) = await app.Client.InvokeAsync("Answers", ("request", HostCalls.Http(call)));

        Assert.Equal(new byte[] { 0, 159, 146, 150 }, await forwarded.Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.InternalServerError, status);
    }

    [Fact]
    public async Task A_head_request_gets_the_length_and_no_body()
    {
        using var response = await app.Client.ForwardAsync(Answers("HEAD", "base64"));

        Assert.Equal(8, response.Content.Headers.ContentLength);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_queue_function_gets_the_bytes_and_sends_its_messages_word_for_word()
    {
        byte[] message = [.. "{\"MessageId\":\"x\"}"u8, 0, 255];

        var (status, answer) = await app.Client.InvokeAsync("OnOrder", ("message", Convert.ToBase64String(message)));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(message, app.Seen["message"]);
        answer.AssertOutputsSurvive();
        Assert.Equal(["""{"first":true}"""], Texts(answer, "first"));
        Assert.Equal(["""{"n":1}""", """{"n":2}"""], Texts(answer, "second"));
    }

    [Fact]
    public async Task A_function_that_sends_nothing_still_answers_an_object()
    {
        var (status, answer) = await app.Client.InvokeAsync("OnOrder", ("message", string.Empty));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Empty(answer["Outputs"]!.AsObject());
    }

    [Fact]
    public async Task An_answer_and_a_message_leave_together()
    {
        var (status, answer) = await app.Client.InvokeAsync("Reports", ("request", HostCalls.Http(Reports(string.Empty))));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(202, answer.HttpOutput().Status);
        Assert.Equal(["""{"at":"2026-01-02T03:04:05.1200000Z"}"""], Texts(answer, "message"));
    }

    [Fact]
    public async Task A_failed_request_sends_no_message()
    {
        var (_, answer) = await app.Client.InvokeAsync("Reports", ("request", HostCalls.Http(Reports("fail"))));

        Assert.Equal(409, answer.HttpOutput().Status);
        Assert.Null(answer["Outputs"]!["message"]);
    }

    [Fact]
    public async Task A_message_that_the_host_would_take_for_base64_is_refused()
    {
        var (_, answer) = await app.Client.InvokeAsync("Reports", ("request", HostCalls.Http(Reports("bad"))));

        Assert.Equal(500, answer.HttpOutput().Status);
        Assert.Null(answer["Outputs"]!["message"]);
    }

    [Fact]
    public async Task A_timer_function_gets_its_run()
    {
        var tick = JsonNode.Parse("""
            {"Schedule":{"AdjustForDST":true},
             "ScheduleStatus":{"Last":"2026-01-02T03:04:00+00:00","Next":"2026-01-02T03:05:00+00:00","LastUpdated":"2026-01-02T03:04:00+00:00"},
             "IsPastDue":true}
            """);

        var (status, _) = await app.Client.InvokeAsync("OnTick", ("tick", tick));

        Assert.Equal(HttpStatusCode.OK, status);
        var seen = Assert.IsType<Baton.Functions.Hosting.TimerInfo>(app.Seen["tick"]);
        Assert.True(seen.IsPastDue);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 5, 0, TimeSpan.Zero), seen.ScheduleStatus!.Next);
    }

    [Fact]
    public async Task A_timer_without_monitor_has_no_status()
    {
        var (status, _) = await app.Client.InvokeAsync("OnTick", ("tick", JsonNode.Parse("""{"Schedule":{},"ScheduleStatus":null,"IsPastDue":false}""")));

        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task An_envelope_of_many_megabytes_is_taken()
    {
        var input = JsonSerializer.Serialize(new string('x', 32 * 1024 * 1024));

        var (status, answer) = await app.Client.InvokeAsync("Measure", ("input", HostCalls.Input(input)));

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal($"String:{input.Length}", answer["ReturnValue"]!["ok"]!.GetValue<string>());
    }

    private static Call Answers(string method, string kind) =>
        new(method, $"/api/answers/{kind}") { Route = new Dictionary<string, string>(StringComparer.Ordinal) { ["kind"] = kind } };

    private static Call Reports(string query) => new("POST", "/api/reports", $"?{query}")
    {
        QueryValues = query.Length == 0 ? [] : new Dictionary<string, string>(StringComparer.Ordinal) { [query] = string.Empty },
    };

    private static List<string> Texts(JsonObject answer, string output) => [.. answer["Outputs"]![output]!.AsArray().Select(text => text!.GetValue<string>())];
}
