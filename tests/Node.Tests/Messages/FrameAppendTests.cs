using System.Net.Http.Headers;
using System.Text;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Node.Tests.Harness;

namespace Baton.Node.Tests.Messages;

/// <summary>Appends in binary frames are the appends of the JSON form.</summary>
public sealed class FrameAppendTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    [Fact]
    public async Task What_was_appended_in_frames_is_read_in_json()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, term: 3);
        var written = await AppendAsync(node, channel, new AppendRequest([new MessageBody([1, 2], $"{channel}_v1", "k"), new MessageBody([])]));
        Assert.Equal((1, 2, 3), (written.FirstLsn, written.LastLsn, written.Term));
        var read = await node.ReadAsync(channel);
        Assert.Collection(
            read.Messages,
            m =>
            {
                Assert.Equal([1, 2], m.Payload);
                Assert.Equal(($"{channel}_v1", "k", 1), (m.VChannel, m.Key, m.Lsn));
            },
            m =>
            {
                Assert.Empty(m.Payload);
                Assert.Equal((null, null, written.TimeTick), (m.VChannel, m.Key, m.TimeTick));
            });
    }

    [Fact]
    public async Task Bodies_of_many_requests_at_once_do_not_mix()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);

        // Buffers are used again: what one request has handed to the log must not change under it when the next one comes.
        var sent = await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
        {
            var texts = new List<string>();
            for (var write = 0; write < 25; write++)
            {
                var text = string.Concat(Enumerable.Repeat($"{writer}-{write}.", 1 + (write % 5 * 300)));
                await AppendAsync(node, channel, new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text)), new MessageBody(Encoding.UTF8.GetBytes(text + "!"))]));
                texts.AddRange(text, text + "!");
            }

            return texts;
        }));
        Assert.Equal(sent.SelectMany(t => t).Order(StringComparer.Ordinal), (await node.TextsAsync(channel)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_repeated_in_the_other_form_gets_the_first_answer(bool framesFirst)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var request = new AppendRequest([new MessageBody([1]), new MessageBody([2])], new ProducerStamp("p1", 5));
        Task<AppendResponse> InFrames() => AppendAsync(node, channel, request);
        Task<AppendResponse> InJson() => TestNode.OkAsync<AppendResponse>(node.PostAsync($"channels/{channel}/messages", request));
        var first = await (framesFirst ? InFrames() : InJson());
        Assert.Equal(first, await (framesFirst ? InJson() : InFrames()));
        Assert.Equal(2, (await node.StatusAsync(channel)).LastLsn);

        var below = request with { Producer = new ProducerStamp("p1", 4) };
        await TestNode.ProblemAsync(PostAsync(node, $"channels/{channel}/messages", AppendFrames.Encode(below)), ApiErrorCode.Conflict);
    }

    [Fact]
    public async Task A_transaction_takes_messages_in_both_forms()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)));
        var path = $"channels/{channel}/transactions/{begun.TxnId}";
        await TestNode.OkAsync<AppendResponse>(PostAsync(node, $"{path}/messages", AppendFrames.Encode(new AppendRequest([new MessageBody("one"u8.ToArray())]))));
        await TestNode.OkAsync<AppendResponse>(node.PostAsync($"{path}/messages", new AppendRequest([new MessageBody("two"u8.ToArray())])));
        Assert.Empty(await node.TextsAsync(channel));
        await TestNode.OkAsync<AppendResponse>(node.PostRawAsync($"{path}/commit", ""));
        Assert.Equal(["one", "two"], await node.TextsAsync(channel));
        await TestNode.ProblemAsync(PostAsync(node, $"{path}/messages", AppendFrames.Encode(new AppendRequest([new MessageBody([1])]))), ApiErrorCode.Conflict);
    }

    [Fact]
    public async Task A_transaction_is_bounded_in_frames_too()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var begun = await TestNode.OkAsync<BeginTransactionResponse>(node.PostAsync($"channels/{channel}/transactions", new BeginTransactionRequest(60_000)));
        var path = $"channels/{channel}/transactions/{begun.TxnId}/messages";
        var fourMebibytes = AppendFrames.Encode(new AppendRequest([.. Enumerable.Repeat(new MessageBody(new byte[1 << 20]), 4)]));
        for (var i = 0; i < 4; i++)
        {
            await TestNode.OkAsync<AppendResponse>(PostAsync(node, path, fourMebibytes));
        }

        await TestNode.ProblemAsync(PostAsync(node, path, AppendFrames.Encode(new AppendRequest([new MessageBody([1])]))), ApiErrorCode.PayloadTooLarge);
    }

    [Fact]
    public async Task The_limits_are_those_of_json()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        (MessageBody[] Messages, ProducerStamp? Producer, ApiErrorCode Code, string Detail)[] cases =
        [
            ([], null, ApiErrorCode.InvalidArgument, "messages cannot be empty"),
            ([new MessageBody(new byte[(1024 * 1024) + 1])], null, ApiErrorCode.PayloadTooLarge, "messages[0]: payload is 1048577 bytes"),
            ([new MessageBody([1]), new MessageBody([1], null, new string('k', 1025))], null, ApiErrorCode.InvalidArgument, "messages[1]: key has 1025 characters"),
            ([new MessageBody([1], "elsewhere")], null, ApiErrorCode.InvalidArgument, "vchannel elsewhere"),
            ([new MessageBody([1], "")], null, ApiErrorCode.InvalidArgument, "vchannel "),
            ([.. Enumerable.Repeat(new MessageBody([1]), 1001)], null, ApiErrorCode.InvalidArgument, "messages: at most 1000 in one request, got 1001"),
            ([new MessageBody([1])], new ProducerStamp("P 1", 1), ApiErrorCode.InvalidArgument, "producer: id must match"),
        ];
        foreach (var (messages, producer, code, detail) in cases)
        {
            var problem = await TestNode.ProblemAsync(PostAsync(node, $"channels/{channel}/messages", AppendFrames.Encode(new AppendRequest(messages, producer))), code);
            Assert.Contains(detail, problem.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
        Assert.Equal(1000, (await AppendAsync(node, channel, new AppendRequest([.. Enumerable.Repeat(new MessageBody([1]), 1000)]))).LastLsn);
        await AppendAsync(node, channel, new AppendRequest([new MessageBody(new byte[1024 * 1024], null, new string('k', 1024))]));
    }

    [Fact]
    public async Task What_is_malformed_is_refused_with_its_place_and_appends_nothing()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var whole = AppendFrames.Encode(new AppendRequest([new MessageBody("text"u8.ToArray())]));
        var flipped = (byte[])whole.Clone();
        flipped[6] ^= 1;
        (byte[] Body, string Detail)[] cases =
        [
            ([], "0 bytes are here, the shortest body has 8 (at byte 0)"),
            (whole[..^1], $"(at byte {whole.Length - 5})"),
            ([.. whole, 0], $"(at byte {whole.Length - 3})"),
            (flipped, "CRC is"),
            (Encoding.UTF8.GetBytes("""{"messages":[{"payload":"YQ=="}]}"""), "the first byte is 7B, not BF (at byte 0)"),
        ];
        foreach (var path in (string[])["messages", "transactions/1/messages"])
        {
            foreach (var (body, detail) in cases)
            {
                var problem = await TestNode.ProblemAsync(PostAsync(node, $"channels/{channel}/{path}", body), ApiErrorCode.InvalidArgument);
                Assert.Contains("application/x-baton-frames", problem.Detail, StringComparison.Ordinal);
                Assert.Contains(detail, problem.Detail, StringComparison.Ordinal);
            }
        }

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-baton-framesets")]
    [InlineData("application/octet-stream")]
    [InlineData(null)]
    public async Task Another_content_type_is_refused_and_both_are_named(string? type)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        foreach (var path in (string[])["messages", "transactions/1/messages"])
        {
            var problem = await TestNode.ProblemAsync(PostAsync(node, $"channels/{channel}/{path}", AppendFrames.Encode(new AppendRequest([new MessageBody([1])])), type), ApiErrorCode.InvalidArgument);
            Assert.Contains("application/json or application/x-baton-frames", problem.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task The_content_type_may_have_parameters_and_capitals()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        var body = AppendFrames.Encode(new AppendRequest([new MessageBody([1])]));
        await TestNode.OkAsync<AppendResponse>(PostAsync(node, $"channels/{channel}/messages", body, "Application/X-Baton-Frames; v=1"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_over_the_limit_is_refused_and_one_at_the_limit_is_taken_whether_or_not_they_say_their_length(bool saysLength)
    {
        const int limit = 8 * 1024 * 1024;
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel);
        await TestNode.ProblemAsync(PostAsync(node, $"channels/{channel}/messages", BodyOf(limit + 1), saysLength: saysLength), ApiErrorCode.PayloadTooLarge);
        Assert.Equal(0, (await node.StatusAsync(channel)).LastLsn);
        await TestNode.OkAsync<AppendResponse>(PostAsync(node, $"channels/{channel}/messages", BodyOf(limit), saysLength: saysLength));
    }

    /// <summary>A well-formed append whose body has so many bytes.</summary>
    private static byte[] BodyOf(int length)
    {
        var messages = Enumerable.Repeat(new MessageBody(new byte[1 << 20]), 7).ToList();
        var last = length - AppendFrames.Size(new AppendRequest(messages)) - 1 - 3;
        messages.Add(new MessageBody(new byte[last]));
        var body = AppendFrames.Encode(new AppendRequest(messages));
        Assert.Equal(length, body.Length);
        return body;
    }

    private static Task<AppendResponse> AppendAsync(TestNode node, string channel, AppendRequest request) =>
        TestNode.OkAsync<AppendResponse>(PostAsync(node, $"channels/{channel}/messages", AppendFrames.Encode(request)));

    private static async Task<HttpResponseMessage> PostAsync(TestNode node, string path, byte[] body, string? type = AppendFrames.MediaType, bool saysLength = true)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        request.Headers.TransferEncodingChunked = !saysLength;
        return await node.Client.SendAsync(request);
    }
}
