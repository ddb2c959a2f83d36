using System.Net;
using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Messages;

public sealed class BadRequestTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{}")]
    [InlineData("""{"messages":null}""")]
    [InlineData("""{"messages":[]}""")]
    [InlineData("""{"messages":[null]}""")]
    [InlineData("""{"messages":[{}]}""")]
    [InlineData("""{"messages":{"payload":"YQ=="}}""")]
    [InlineData("""{"messages":[{"payload":null}]}""")]
    [InlineData("""{"messages":[{"payload":1}]}""")]
    [InlineData("""{"messages":[{"payload":"not base64!"}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ==","vchannel":"elsewhere"}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ==","vchannel":"UPPER"}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ==","vchannel":"\ud800"}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ==","key":"\ud800"}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ==","surprise":1}]}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}],"surprise":1}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}],"producer":{"id":"P 1","sequence":1}}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}],"producer":{"id":"p1","sequence":-1}}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}],"producer":{"id":"p1","sequence":"1"}}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}],"producer":{"sequence":1}}""")]
    [InlineData("""{"messages":[{"payload":"YQ=="}]} trailing""")]
    public async Task A_malformed_write_is_an_invalid_argument_and_appends_nothing(string body)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var problem = await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", body), ApiErrorCode.InvalidArgument);
        Assert.DoesNotContain("System.", problem.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("Baton.", problem.Detail, StringComparison.Ordinal);
        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task Other_paths_refuse_what_is_malformed_too()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        (string Path, string Body)[] calls =
        [
            ("transactions", "["),
            ("transactions", """{"keepaliveMs":"soon"}"""),
            ("transactions", """{"keepaliveMs":-1}"""),
            ("transactions/1/messages", """{"messages":1}"""),
            ("open", "{}"),
            ("open", """{"term":0}"""),
            ("open", """{"term":9007199254740992}"""),
            ("open", """{"term":"one"}"""),
            ("close", """{"term":-1}"""),
            ("control", "{}"),
            ("control", """{"broadcastId":0,"vchannel":"x","message":{}}"""),
            ("control", """{"broadcastId":1,"vchannel":"x","message":null}"""),
            ("replicate", "{}"),
            ("replicate", """{"clusterId":"a","channel":"c","records":[null]}"""),
            ("replicate", """{"clusterId":"a","channel":"c","records":[{"lsn":1,"timeTick":1,"type":"nonsense","payload":""}]}"""),
            ("replicate", """{"clusterId":"a","channel":"c","records":[{"lsn":1,"timeTick":1,"type":"message"}]}"""),
            ("replicate", """{"clusterId":"a","channel":"c","records":[{"lsn":1,"timeTick":1,"type":"txnBody","txnId":1}]}"""),
            ("replicate", """{"clusterId":"a","channel":"c","records":[{"lsn":1,"timeTick":1,"type":"txnBegin","payload":"","txnId":9007199254740992}]}"""),
            ("replicate", """{"clusterId":"a","channel":"c","records":[{"lsn":1,"timeTick":1,"type":"broadcast","payload":"","broadcastId":9007199254740992}]}"""),
        ];
        foreach (var (path, body) in calls)
        {
            await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/{path}", body, node.Control), ApiErrorCode.InvalidArgument);
        }

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Theory]
    [InlineData("Ch1")]
    [InlineData("ch_v1")]
    [InlineData("-ch")]
    [InlineData("c%20h")]
    [InlineData("c%2F..%2Fh")]
    public async Task A_bad_channel_name_is_an_invalid_argument(string channel)
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", """{"messages":[{"payload":"YQ=="}]}"""), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/open", """{"term":1}""", node.Control), ApiErrorCode.InvalidArgument);
    }

    [Theory]
    [InlineData("from=x")]
    [InlineData("from=-1")]
    [InlineData("from=99999999999999999999")]
    [InlineData("max=0")]
    [InlineData("max=1001")]
    [InlineData("waitMs=60001")]
    [InlineData("isolation=dirty")]
    public async Task A_bad_query_is_an_invalid_argument(string query)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.ProblemAsync(node.Client.GetAsync($"channels/{channel}/messages?{query}"), ApiErrorCode.InvalidArgument);
    }

    [Fact]
    public async Task What_is_too_large_is_refused_and_appends_nothing()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var path = $"channels/{channel}/messages";

        var largePayload = new AppendRequest([new MessageBody(new byte[(1024 * 1024) + 1])]);
        await TestNode.ProblemAsync(node.PostAsync(path, largePayload), ApiErrorCode.PayloadTooLarge);

        var largeKey = new AppendRequest([new MessageBody([1], Key: new string('k', 1025))]);
        await TestNode.ProblemAsync(node.PostAsync(path, largeKey), ApiErrorCode.InvalidArgument);

        var manyMessages = new AppendRequest([.. Enumerable.Repeat(new MessageBody([1]), 1001)]);
        await TestNode.ProblemAsync(node.PostAsync(path, manyMessages), ApiErrorCode.InvalidArgument);

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(bool saysLength)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var body = Encoding.UTF8.GetBytes($$"""{"messages":[{"payload":"{{Convert.ToBase64String(new byte[7 * 1024 * 1024])}}"}]}""");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/messages") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.TransferEncodingChunked = !saysLength;
        request.Headers.ExpectContinue = true;
        await TestNode.ProblemAsync(node.Client.SendAsync(request), ApiErrorCode.PayloadTooLarge);
        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task Errors_that_no_endpoint_makes_have_the_same_shape()
    {
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.StartAsync(fixture, plane);
        await TestNode.ProblemAsync(node.Client.GetAsync("nowhere"), ApiErrorCode.NotFound);
        using var wrongMethod = await node.Client.DeleteAsync("health");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, wrongMethod.StatusCode);
        var problem = JsonSerializer.Deserialize<Problem>(await wrongMethod.Content.ReadAsStringAsync(), BatonJson.Options)!;
        Assert.Equal("InvalidArgument", problem.Code);
        using var form = new StringContent("a=b", Encoding.UTF8, "application/x-www-form-urlencoded");
        await TestNode.ProblemAsync(node.Client.PostAsync("channels/ch1/messages", form), ApiErrorCode.InvalidArgument);
    }
}
