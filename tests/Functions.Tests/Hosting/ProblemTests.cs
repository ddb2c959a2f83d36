using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Baton.Core.Api;

namespace Baton.Functions.Tests.Hosting;

public sealed class ProblemTests(SampleApp app) : IClassFixture<SampleApp>
{
    private const string TooLong = """{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","count":1}""";

    public static TheoryData<ApiErrorCode> Codes => [.. Enum.GetValues<ApiErrorCode>()];

    [Theory]
    [MemberData(nameof(Codes))]
    public async Task Every_error_is_a_problem_with_its_status_both_ways(ApiErrorCode code)
    {
        foreach (var problem in await BothAsync(Faults(code.ToString())))
        {
            Assert.Equal(code.Status(), problem.Status);
            Assert.Equal(code.ToString(), (string?)problem.Json["code"]);
            Assert.Equal(code.Status(), (int?)problem.Json["status"]);
            Assert.Equal($"This is {code}.", (string?)problem.Json["detail"]);
            Assert.Equal($"urn:baton:error:{code}", (string?)problem.Json["type"]);
            Assert.NotEmpty((string)problem.Json["title"]!);
            Assert.Equal(code is ApiErrorCode.Overloaded or ApiErrorCode.Unavailable ? "1" : null, problem.RetryAfter);
        }
    }

    [Fact]
    public async Task An_error_says_when_to_try_again_and_where()
    {
        Assert.All(await BothAsync(Faults("later")), problem => Assert.Equal("7", problem.RetryAfter));
        Assert.All(await BothAsync(Faults("leader")), problem => Assert.Equal("""{"nodeId":"n1","endpoint":"http://n1:7301/","term":3}""", problem.Json["leader"]!.ToJsonString()));
    }

    [Theory]
    [InlineData("secret")]
    [InlineData("half")]
    [InlineData("null")]
    public async Task A_fault_is_internal_and_says_nothing_of_the_inside(string kind)
    {
        var before = app.Log.Errors("Faults");

        foreach (var problem in await BothAsync(Faults(kind)))
        {
            Assert.Equal(500, problem.Status);
            Assert.Equal("Internal", (string?)problem.Json["code"]);
            Assert.DoesNotContain("hunter2", problem.Raw, StringComparison.Ordinal);
            Assert.DoesNotContain("half", problem.Raw, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("Exception", problem.Raw, StringComparison.Ordinal);
        }

        Assert.Equal(before + 2, app.Log.Errors("Faults"));
    }

    [Theory]
    [InlineData("", "The request needs a JSON body.")]
    [InlineData("null", "The body must be a JSON object, not null.")]
    [InlineData("{", "The body is not valid JSON: see $ (line 1, byte 2).")]
    [InlineData("{\"id\":\"a\",\n\"count\":tru}", "The body is not valid JSON: see $.count (line 2, byte 12).")]
    [InlineData("{\"id\":\"a\",\"count\":\"x\"}", "The body does not fit this request: an unknown or repeated field, or an unfit value, at $.count (line 1, byte 22).")]
    [InlineData("{\"id\":null,\"count\":1}", "The body does not fit this request: an unknown or repeated field, or an unfit value, at $.id (line 1, byte 11).")]
    [InlineData("[]", "The body does not fit this request: an unknown or repeated field, or an unfit value, at $ (line 1, byte 2).")]
    public async Task A_bad_body_is_refused_with_its_place(string body, string detail)
    {
        foreach (var problem in await BothAsync(Faults("body") with { Method = "POST", ContentType = "application/json", Body = Encoding.UTF8.GetBytes(body) }))
        {
            Assert.Equal("InvalidArgument", (string?)problem.Json["code"]);
            Assert.Equal(detail, (string?)problem.Json["detail"]);
        }

        Assert.Equal(0, app.Log.Errors("not valid JSON"));
    }

    [Fact]
    public async Task A_body_that_is_not_utf8_is_refused()
    {
        using var response = await app.Client.ForwardAsync(Faults("body") with { Method = "POST", Body = [.. "{\"id\":\""u8, 0xff, 0xfe, .. "\",\"count\":1}"u8] });

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_body_above_the_functions_limit_is_refused()
    {
        var body = Encoding.UTF8.GetBytes(TooLong.PadRight(1001));
        foreach (var problem in await BothAsync(Faults("body") with { Method = "POST", Body = body }))
        {
            Assert.Equal(413, problem.Status);
            Assert.Equal("The body is above the limit of 1000 bytes.", (string?)problem.Json["detail"]);
        }

        using var chunked = new HttpRequestMessage(HttpMethod.Post, "/api/faults/body") { Content = new ByteArrayContent(body) };
        chunked.Headers.TransferEncodingChunked = true;
        using var response = await app.Client.SendAsync(chunked);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task A_body_at_the_functions_limit_is_taken()
    {
        using var response = await app.Client.ForwardAsync(Faults("body") with { Method = "POST", Body = Encoding.UTF8.GetBytes("""{"id":"a","count":1}""".PadRight(1000)) });

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("/api/faults/large")]
    [InlineData("/Faults")]
    public async Task A_call_above_the_hosts_limit_is_refused_unread(string path)
    {
        using var connection = new TcpClient();
        await connection.ConnectAsync(app.Client.BaseAddress!.Host, app.Client.BaseAddress.Port);
        var stream = connection.GetStream();

        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n\r\n"));

        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 413 Payload Too Large", await reader.ReadLineAsync());
        Assert.Contains("\"code\":\"PayloadTooLarge\"", await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_path_is_a_problem_too()
    {
        using var response = await app.Client.GetAsync(new Uri("/api/nowhere", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task An_event_that_fails_is_a_failed_invocation_logged_once()
    {
        var before = app.Log.Errors("hunter2");

        var (status, problem) = await app.Client.InvokeAsync("OnBadTick", ("tick", JsonNode.Parse("""{"IsPastDue":false}""")));

        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.Equal("Internal", (string?)problem["code"]);
        Assert.DoesNotContain("hunter2", problem.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(before + 1, app.Log.Errors("hunter2"));
    }

    private static Call Faults(string kind) =>
        new("GET", $"/api/faults/{kind}") { Route = new Dictionary<string, string>(StringComparer.Ordinal) { ["kind"] = kind } };

    private async Task<IReadOnlyList<(int Status, JsonObject Json, string? RetryAfter, string Raw)>> BothAsync(Call call)
    {
        using var forwarded = await app.Client.ForwardAsync(call);
        var forwardedBody = await forwarded.Content.ReadAsStringAsync();
        Assert.Equal("application/problem+json", forwarded.Content.Headers.ContentType?.MediaType);

        var (status, answer) = await app.Client.InvokeAsync("Faults", ("request", HostCalls.Http(call)));
        Assert.Equal(HttpStatusCode.OK, status);
        var enveloped = answer.HttpOutput();
        Assert.Equal("application/problem+json", enveloped.Headers["Content-Type"]);

        return
        [
            ((int)forwarded.StatusCode, JsonNode.Parse(forwardedBody)!.AsObject(), forwarded.Headers.RetryAfter?.ToString(), $"{forwarded.Headers}{forwardedBody}"),
            (enveloped.Status, JsonNode.Parse(enveloped.Body)!.AsObject(), enveloped.Headers.GetValueOrDefault("Retry-After"), answer.ToJsonString()),
        ];
    }
}
