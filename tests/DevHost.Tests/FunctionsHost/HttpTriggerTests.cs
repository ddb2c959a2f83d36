using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Baton.Core.Api;
using Baton.ScriptedHandler;

namespace Baton.DevHost.Tests.FunctionsHost;

public sealed class HttpTriggerTests
{
    [Fact]
    public async Task A_plain_HTTP_function_gets_the_original_request_and_its_answer_goes_back_unchanged()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Http("Things", settings: "\"route\":\"things/{id}\",\"methods\":[\"put\"]"),
            _ => Task.FromResult(new HandlerAnswer(418, "text/x-tea", "short and stout"u8.ToArray(), new Dictionary<string, string>(StringComparer.Ordinal) { ["x-pot"] = "1", ["Location"] = "/elsewhere" })));

        using var request = new HttpRequestMessage(HttpMethod.Put, "/api/things/a%20b?x=1&x=2&y=%26") { Content = new StringContent("{\"é\":1}", Encoding.UTF8, "application/json") };
        request.Headers.Add("x-mine", "yes");
        using var answer = await host.Http.SendAsync(request);

        Assert.Equal(418, (int)answer.StatusCode);
        Assert.Equal("text/x-tea", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("1", Assert.Single(answer.Headers.GetValues("x-pot")));
        Assert.Equal("short and stout", await answer.Content.ReadAsStringAsync());
        var got = Assert.Single(host.Script.Requests);
        Assert.Equal("PUT", got.Method);
        Assert.Equal("/api/things/a%20b?x=1,2&y=%26", got.PathAndQuery.Replace("%2C", ",", StringComparison.Ordinal));
        Assert.Equal("{\"é\":1}", Encoding.UTF8.GetString(got.Body));
        Assert.Equal("yes", got.Headers["x-mine"]);
        Assert.Equal("application/json; charset=utf-8", got.Headers["Content-Type"]);
        Assert.True(Guid.TryParse(got.Headers["X-Azure-Functions-InvocationId"], out _));
        Assert.NotEmpty(got.Headers["X-Azure-Functions-HostVersion"]);
        Assert.Contains("Azure-Functions-Host/", got.Headers["User-Agent"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_is_passed_on_and_not_followed()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().Http("Away"),
            _ => Task.FromResult(new HandlerAnswer(302, null, [], new Dictionary<string, string>(StringComparer.Ordinal) { ["Location"] = "/api/Away" })));
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = host.Host.BaseAddress };

        using var answer = await http.GetAsync(new Uri("/api/Away", UriKind.Relative));

        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.Single(host.Script.Requests);
    }

    [Theory]
    [InlineData("Forwarded")]
    [InlineData("Enveloped")]
    public async Task A_chunked_upload_loses_its_body(string function)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Http("Forwarded").EnvelopeHttp("Enveloped"), _ => Task.FromResult(ScriptServer.Json("{}")));
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/{function}") { Content = new StringContent("lost") };
        request.Headers.TransferEncodingChunked = true;

        using var answer = await host.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var got = Assert.Single(host.Script.Requests);
        Assert.DoesNotContain("lost", Encoding.UTF8.GetString(got.Body), StringComparison.Ordinal);
        if (function == "Enveloped")
        {
            Assert.False(ScriptServer.Envelope(got)["Data"]!["req"]!.AsObject().ContainsKey("Body"));
        }
    }

    [Fact]
    public async Task A_function_with_a_durable_client_gets_an_envelope()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().EnvelopeHttp("Start", settings: "\"route\":\"start/{name}\""),
            _ => Task.FromResult(ScriptServer.Json("""{"Outputs":{"res":{"statusCode":"202","body":"{\"id\":\"test\"}","headers":{"Content-Type":"application/json","x-a":"b"}}}}""")));

        using var answer = await host.PostAsync("/api/start/one?q=1&q=2", "{\"a\":1}");

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("b", Assert.Single(answer.Headers.GetValues("x-a")));
        Assert.Equal("{\"id\":\"test\"}", await answer.Content.ReadAsStringAsync());

        var got = Assert.Single(host.Script.Requests);
        Assert.Equal(("POST", "/Start", "application/json; charset=utf-8"), (got.Method, got.PathAndQuery, got.Headers["Content-Type"]));
        Assert.False(got.Headers.ContainsKey("Content-Length"));
        var envelope = ScriptServer.Envelope(got);
        var req = envelope["Data"]!["req"]!;
        Assert.Equal("POST", (string?)req["Method"]);
        Assert.Equal(new Uri(host.Host.BaseAddress, "/api/start/one?q=1&q=2").ToString(), (string?)req["Url"]);
        Assert.Equal("1,2", (string?)req["Query"]!["q"]);
        Assert.Equal("one", (string?)req["Params"]!["name"]);
        Assert.Equal("application/json", (string?)req["Headers"]!["Content-Type"]![0]);
        Assert.Equal("{\"a\":1}", (string?)req["Body"]);
        Assert.Equal("\"one\"", (string?)envelope["Metadata"]!["name"]);
        Assert.Equal("Start", (string?)envelope["Metadata"]!["sys"]!["MethodName"]);
        Assert.False(envelope["Metadata"]!.AsObject().ContainsKey("req"));

        // The client's value is JSON text inside JSON text.
        var client = JsonNode.Parse((string)JsonNode.Parse((string)envelope["Data"]!["client"]!)!)!;
        Assert.Equal("testhub", (string?)client["taskHubName"]);
        Assert.Equal(new Uri(host.Host.BaseAddress, "/runtime/webhooks/durabletask").ToString(), (string?)client["httpBaseUrl"]);
        Assert.Equal("code=system-key", (string?)client["requiredQueryStringParameters"]);
    }

    [Fact]
    public async Task A_binary_body_arrives_in_base64_in_an_envelope()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().EnvelopeHttp("Start"), _ => Task.FromResult(ScriptServer.Json("{}")));

        using var answer = await host.PostAsync("/api/Start", "hi", "application/octet-stream");

        Assert.Equal("aGk=", (string?)ScriptServer.Envelope(Assert.Single(host.Script.Requests))["Data"]!["req"]!["Body"]);
        Assert.Equal((HttpStatusCode.OK, string.Empty), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task A_JSON_body_without_a_content_type_goes_out_as_indented_text()
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().EnvelopeHttp("Start"), _ => Task.FromResult(ScriptServer.Json("""{"Outputs":{"res":{"status":201,"body":{"a":1}}}}""")));

        using var answer = await host.PostAsync("/api/Start", "x");

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal("text/plain; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("{\n  \"a\": 1\n}", (await answer.Content.ReadAsStringAsync()).ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData(500, "application/json", "{}")]
    [InlineData(404, "application/problem+json", """{"detail":"secret inside"}""")]
    [InlineData(200, "text/plain", "fine")]
    [InlineData(200, "application/json", "{broken")]
    [InlineData(200, "application/json", """{"Outputs":{"res":[1]}}""")]
    public async Task A_failed_invocation_is_a_500_that_says_nothing_of_the_handlers_answer(int status, string contentType, string body)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().EnvelopeHttp("Start"), _ => Task.FromResult(new HandlerAnswer(status, contentType, Encoding.UTF8.GetBytes(body))));

        using var answer = await host.PostAsync("/api/Start", "x");

        await AssertProblemAsync(answer, ApiErrorCode.Internal);
        Assert.DoesNotContain("secret", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_answer_hangs_until_the_function_timeout_which_restarts_the_handler()
    {
        var app = new TestApp().EnvelopeHttp("Start").Http("Plain");
        app.HostJson["functionTimeout"] = "00:00:01";
        await using var host = await HostUnderTest.StartAsync(app, request => Task.FromResult(request.PathAndQuery == "/Start" ? new HandlerAnswer(200, "application/json", []) : ScriptServer.Json("{}")));
        var before = host.Host.HandlerPid;
        var start = TimeProvider.System.GetTimestamp();

        using var answer = await host.PostAsync("/api/Start", "x");

        await AssertProblemAsync(answer, ApiErrorCode.Internal);
        Assert.True(TimeProvider.System.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(950));
        await HostUnderTest.UntilAsync("another handler runs", () => host.Host.HandlerPid != before);

        // Each call has a second; on a busy machine the first ones may take longer.
        await HostUnderTest.UntilAsync("it answers", async () =>
        {
            using var next = await host.Http.GetAsync(new Uri("/api/Plain", UriKind.Relative));
            return next.StatusCode == HttpStatusCode.OK;
        });
    }

    [Theory]
    [InlineData("Anonymous", null, true)]
    [InlineData("Function", null, false)]
    [InlineData("Function", "function-key", true)]
    [InlineData("Function", "master-key", true)]
    [InlineData("Function", "system-key", false)]
    [InlineData("Function", "function-ke", false)]
    [InlineData("Function", "", false)]
    [InlineData("Admin", "function-key", false)]
    [InlineData("Admin", "master-key", true)]
    public async Task A_function_asks_for_the_key_of_its_level(string level, string? key, bool allowed)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Http("F", level.ToLowerInvariant()), _ => Task.FromResult(ScriptServer.Json("{}")));

        using var byHeader = new HttpRequestMessage(HttpMethod.Get, "/api/F");
        if (key is not null)
        {
            byHeader.Headers.Add("x-functions-key", key);
        }

        using var answer = await host.Http.SendAsync(byHeader);
        using var byQuery = await host.Http.GetAsync(new Uri($"/api/F?code={key}", UriKind.Relative));

        Assert.Equal((allowed, allowed), (answer.IsSuccessStatusCode, byQuery.IsSuccessStatusCode));
        if (!allowed)
        {
            await AssertProblemAsync(answer, ApiErrorCode.Unauthorized);
            Assert.Empty(host.Script.Requests);
        }
    }

    [Theory]
    [InlineData("GET", "/api/nothing")]
    [InlineData("DELETE", "/api/Only")]
    [InlineData("GET", "/Only")]
    public async Task An_unknown_path_or_method_is_a_404(string method, string path)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Http("Only", settings: "\"methods\":[\"get\"]"), _ => Task.FromResult(ScriptServer.Json("{}")));
        using var request = new HttpRequestMessage(new HttpMethod(method), path);

        using var answer = await host.Http.SendAsync(request);

        await AssertProblemAsync(answer, ApiErrorCode.NotFound);
    }

    [Theory]
    [InlineData("Forwarded")]
    [InlineData("Enveloped")]
    public async Task A_body_above_100_MB_is_a_413_before_it_is_sent(string function)
    {
        await using var host = await HostUnderTest.StartAsync(new TestApp().Http("Forwarded").EnvelopeHttp("Enveloped"), _ => Task.FromResult(ScriptServer.Json("{}")));

        var answer = await RawAsync(host, $"POST /api/{function} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("PayloadTooLarge", answer, StringComparison.Ordinal);
        Assert.Empty(host.Script.Requests);
    }

    [Fact]
    public async Task The_body_limit_can_be_set_and_a_body_at_the_limit_passes()
    {
        await using var host = await HostUnderTest.StartAsync(
            new TestApp().EnvelopeHttp("F"),
            _ => Task.FromResult(ScriptServer.Json("{}")),
            settings: new Dictionary<string, string>(StringComparer.Ordinal) { ["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "1000" });

        using var fits = await host.PostAsync("/api/F", new string('x', 1000));
        using var tooLarge = await host.PostAsync("/api/F", new string('x', 1001));

        Assert.Equal(HttpStatusCode.OK, fits.StatusCode);
        await AssertProblemAsync(tooLarge, ApiErrorCode.PayloadTooLarge);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage answer, ApiErrorCode code)
    {
        Assert.Equal(code.Status(), (int)answer.StatusCode);
        Assert.Equal(Problem.MediaType, answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal(code.ToString(), (await answer.Content.ReadFromJsonAsync<Problem>(BatonJson.Options))!.Code);
    }

    private static async Task<string> RawAsync(HostUnderTest host, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(host.Host.BaseAddress.Host, host.Host.BaseAddress.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync().WaitAsync(HostUnderTest.Patience);
    }
}
