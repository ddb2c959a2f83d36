using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Baton.Core.Api;

namespace Baton.Functions.Tests.Hosting;

public sealed class RequestViewTests(SampleApp app) : IClassFixture<SampleApp>
{
    private static readonly byte[] EveryByte = [.. Enumerable.Range(0, 256).Select(b => (byte)b)];

    public static TheoryData<string, Call> Calls => new()
    {
        { "plain", At("a", "b") with { Method = "GET" } },
        { "json", At("n-1", "x.y") with { Method = "PUT", ContentType = "application/json", Body = Encoding.UTF8.GetBytes("""{"a":[1,null,"ü\u0000"],"at":"2026-01-02T03:04:05.1200000Z"}""") } },
        { "base64 text", At("a", "b") with { Method = "POST", ContentType = "text/plain", Body = "dGVzdA=="u8.ToArray() } },
        { "date text", At("a", "b") with { Method = "POST", ContentType = "text/plain; charset=utf-8", Body = "2026-01-02T03:04:05.1200000Z"u8.ToArray() } },
        { "json text", At("a", "b") with { Method = "POST", ContentType = "application/json", Body = "\"\\\"quoted\\\"\""u8.ToArray() } },
        { "unicode", At("a", "b") with { Method = "POST", ContentType = "text/plain", Body = Encoding.UTF8.GetBytes("grüße \r\n\t世界 🚀 \u0001 \\ \"") } },
        { "no media type", At("a", "b") with { Method = "POST", Body = "{}"u8.ToArray() } },
        { "binary", At("a", "b") with { Method = "POST", ContentType = "application/octet-stream", Body = EveryByte } },
        { "multipart", At("a", "b") with { Method = "POST", ContentType = "multipart/form-data; boundary=x", Body = [.. "--x\r\n\r\n"u8, .. EveryByte, .. "\r\n--x--"u8] } },
        { "escaped path", new Call("GET", "/api/echo/gr%C3%BC%20n/parts/a%2Bb%25") { Route = Parts("grü n", "a+b%") } },
        { "query", At("a", "b") with
        {
            Method = "DELETE",
            Query = "?since=4&waitMs=&tag=x&tag=y&text=a%20b%26c%3D%C3%BC",
            QueryValues = new Dictionary<string, string>(StringComparer.Ordinal) { ["since"] = "4", ["waitMs"] = string.Empty, ["tag"] = "x,y", ["text"] = "a b&c=ü" },
        } },
        { "headers", At("a", "b") with { Headers = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["X-Twice"] = ["1", "2"], ["Accept"] = ["application/json"], ["X-Empty"] = [""] } } },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task A_function_sees_the_same_request_forwarded_and_in_an_envelope(string name, Call call)
    {
        Assert.NotEmpty(name);
        using var forwarded = await app.Client.ForwardAsync(call);
        Assert.Equal(HttpStatusCode.OK, forwarded.StatusCode);
        var expected = (await forwarded.Content.ReadFromJsonAsync<RequestView>(BatonJson.Options))!;

        var (status, answer) = await app.Client.InvokeAsync("Echo", ("request", HostCalls.Http(call)));
        Assert.Equal(HttpStatusCode.OK, status);
        var actual = JsonSerializer.Deserialize<RequestView>(answer.HttpOutput().Body, BatonJson.Options)!;

        Assert.Equal(call.Method, actual.Method);
        Assert.Equal(call.Host, actual.Host);
        Assert.Equal(Uri.UnescapeDataString(call.Path), actual.Path);
        Assert.Equal(call.Route, actual.Route);
        Assert.Equal(call.QueryValues, actual.Query);
        Assert.Equal(call.Body, actual.Body);

        Assert.Equal(expected.Method, actual.Method);
        Assert.Equal(expected.Host, actual.Host);
        Assert.Equal(expected.Path, actual.Path);
        Assert.Equal(expected.Route, actual.Route);
        Assert.Equal(expected.Query, actual.Query);
        Assert.Equal(expected.Headers, actual.Headers);
        Assert.Equal(expected.ContentLength ?? 0, actual.ContentLength ?? 0);
        Assert.Equal(expected.Body, actual.Body);
    }

    [Fact]
    public async Task A_body_that_the_host_already_parsed_is_taken_as_it_stands()
    {
        var request = HostCalls.Http(At("a", "b") with { Method = "POST" });
        request["Body"] = new JsonObject { ["a"] = 1 };

        var (_, answer) = await app.Client.InvokeAsync("Echo", ("request", request));

        Assert.Equal("""{"a":1}""", Encoding.UTF8.GetString(JsonSerializer.Deserialize<RequestView>(answer.HttpOutput().Body, BatonJson.Options)!.Body));
    }

    [Fact]
    public async Task A_call_that_the_host_gives_up_is_cancelled_and_is_no_error()
    {
        using var caller = new CancellationTokenSource();
        var call = app.Client.GetAsync(new Uri("/api/waits", UriKind.Relative), caller.Token);
        await Until.TrueAsync(() => app.Seen["waiting"] is not null);

        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await Until.TrueAsync(() => app.Seen["waited"] is not null && app.Log.Lines.Any(line => line.Text.Contains("gave up on the function Waits", StringComparison.Ordinal)));
        Assert.Equal(0, app.Log.Errors("Waits"));
    }

    private static Call At(string id, string part) => new("GET", $"/api/echo/{id}/parts/{part}") { Route = Parts(id, part) };

    private static Dictionary<string, string> Parts(string id, string part) => new(StringComparer.Ordinal) { ["id"] = id, ["part"] = part };
}
