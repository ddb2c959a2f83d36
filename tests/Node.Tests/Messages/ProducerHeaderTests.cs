using System.Net.Http.Headers;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Messages;

/// <summary>The stamp of a gateway, which never looks into a body.</summary>
public sealed class ProducerHeaderTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_write_with_the_same_stamp_again_gets_the_first_answer_and_appends_nothing(bool frames, bool inTransaction)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var path = $"channels/{channel}/messages";
        if (inTransaction)
        {
            var begun = await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)));
            path = $"channels/{channel}/transactions/{begun.TxnId}/messages";
        }

        var before = (await node.StatusAsync(channel)).LastLsn;
        Task<HttpResponseMessage> Send(string stamp) => SendAsync(node, path, stamp, new AppendRequest([new MessageBody([1]), new MessageBody([2])]), frames);
        var first = await TestNode.OkAsync<AppendResponse>(Send("gw-1.7;40"));
        Assert.Equal(first, await TestNode.OkAsync<AppendResponse>(Send("gw-1.7;40")));
        Assert.Equal(before + 2, (await node.StatusAsync(channel)).LastLsn);

        Assert.Equal(before + 3, (await TestNode.OkAsync<AppendResponse>(Send("gw-1.7;41"))).FirstLsn);
        await TestNode.ProblemAsync(Send("gw-1.7;39"), ApiErrorCode.Conflict);
        Assert.Equal(before + 4, (await node.StatusAsync(channel)).LastLsn);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stamp_in_the_body_wins_and_is_the_same_stamp(bool frames)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var stamped = new AppendRequest([new MessageBody([1])], new ProducerStamp("client", 5));
        Task<AppendResponse> Send(string? stamp, AppendRequest request) => TestNode.OkAsync<AppendResponse>(SendAsync(node, $"channels/{channel}/messages", stamp, request, frames));

        var first = await Send("gateway;1", stamped);
        Assert.Equal(first, await Send("gateway;2", stamped));
        Assert.Equal(first, await Send(null, stamped));
        Assert.Equal(first, await Send("client;5", stamped with { Producer = null }));
        Assert.Equal(1, (await node.StatusAsync(channel)).LastLsn);
        Assert.Equal(2, (await Send("gateway;1", stamped with { Producer = null })).FirstLsn);
    }

    [Theory]
    [InlineData("")]
    [InlineData(";")]
    [InlineData("gateway")]
    [InlineData("gateway;")]
    [InlineData(";1")]
    [InlineData("Gateway;1")]
    [InlineData("gateway;-1")]
    [InlineData("gateway;1;2")]
    [InlineData("gateway; 1")]
    [InlineData("gateway;1.0")]
    [InlineData("gateway;9223372036854775808")]
    [InlineData("a234567890123456789012345678901234567890123456789012345678901234;1")]
    public async Task A_header_that_is_no_stamp_is_refused_and_named_whatever_the_body_says(string stamp)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var request = new AppendRequest([new MessageBody([1])], new ProducerStamp("client", 5));
        var problem = await TestNode.ProblemAsync(SendAsync(node, $"channels/{channel}/messages", stamp, request, frames: false), ApiErrorCode.InvalidArgument);
        Assert.Contains(BatonHeaders.Producer, problem.Detail, StringComparison.Ordinal);
        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task Two_stamps_are_none()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"channels/{channel}/messages") { Content = new ByteArrayContent(AppendFrames.Encode(new AppendRequest([new MessageBody([1])]))) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(AppendFrames.MediaType);
        request.Headers.Add(BatonHeaders.Producer, ["a;1", "b;1"]);
        await TestNode.ProblemAsync(node.Client.SendAsync(request), ApiErrorCode.InvalidArgument);
    }

    private static async Task<HttpResponseMessage> SendAsync(TestNode node, string path, string? stamp, AppendRequest body, bool frames)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Content = new ByteArrayContent(frames ? AppendFrames.Encode(body) : System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(body, BatonJson.Options));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(frames ? AppendFrames.MediaType : "application/json");
        if (stamp is not null)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(BatonHeaders.Producer, stamp));
        }

        return await node.Client.SendAsync(request);
    }
}
