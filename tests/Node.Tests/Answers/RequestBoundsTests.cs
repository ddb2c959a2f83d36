using System.Net;
using System.Net.Http.Headers;
using Baton.Core.Api;
using Baton.Core.Frames;
using Baton.Edge.Bodies;
using Baton.Node.Messages;
using Baton.Node.Tests.Harness;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Node.Tests.Answers;

/// <summary>What a node takes at once is bounded; beyond it, it says so and reads nothing.</summary>
public sealed class RequestBoundsTests(NodeFixture fixture) : IClassFixture<NodeFixture>
{
    private static readonly (string, string) Smallest = ("Node:MaxRequestBytesInFlight", "8388608");

    [Theory]
    [InlineData(AppendFrames.MediaType)]
    [InlineData("application/json")]
    public async Task A_request_without_room_is_refused_before_anything_of_it_is_read(string type)
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Smallest);
        var budget = node.Services.GetRequiredService<BodyBudget>();

        // It does not say how long it is, so it counts as the longest.
        using var slow = new SlowBody(AppendFrames.Encode(new AppendRequest([new MessageBody([1])])), AppendFrames.MediaType);
        var first = PostAsync(node.Client, channel, slow);
        await Eventually.HoldsAsync(() => budget.TakenBytes == BodyLimits.BodyBytes, "the first request has its room");

        using var patient = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromSeconds(60) }) { BaseAddress = node.Client.BaseAddress };
        patient.DefaultRequestHeaders.Authorization = node.Client.DefaultRequestHeaders.Authorization;
        patient.DefaultRequestHeaders.ExpectContinue = true;
        using var unread = new SlowBody([1], type);
        using var refused = await PostAsync(patient, channel, unread);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
        Assert.Contains("Node:MaxRequestBytesInFlight", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.False(unread.Asked);

        slow.Finish();
        await TestNode.OkAsync<AppendResponse>(first);
        await Eventually.HoldsAsync(() => budget.TakenBytes == 0, "all is given back");
        await node.AppendAsync(channel, "and on");
        Assert.Equal(2, (await node.StatusAsync(channel)).LastLsn);
    }

    [Fact]
    public async Task A_request_that_waits_for_room_is_served_when_there_is_some()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Smallest);
        var budget = node.Services.GetRequiredService<BodyBudget>();
        await budget.TakeAsync(BodyLimits.BodyBytes, CancellationToken.None);
        var waiting = node.AppendAsync(channel, "waits");
        await Eventually.HoldsAsync(() => budget.Waiting == 1 || waiting.IsCompleted, "it waits");
        Assert.False(waiting.IsCompleted);
        budget.GiveBack(BodyLimits.BodyBytes);
        await waiting;
        await Eventually.HoldsAsync(() => budget.TakenBytes == 0, "all is given back");
    }

    [Fact]
    public async Task An_order_of_the_control_plane_never_waits()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Smallest);
        var budget = node.Services.GetRequiredService<BodyBudget>();
        await budget.TakeAsync(BodyLimits.BodyBytes, CancellationToken.None);
        var other = NodeFixture.NewChannel();
        await TestNode.OkAsync<ChannelStatus>(node.PostAsync($"channels/{other}/open", new OpenChannelRequest(1), node.Control));
        await TestNode.ProblemAsync(node.PostAsync($"channels/{other}/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.Overloaded);
        await TestNode.ProblemAsync(node.PostAsync($"channels/{other}/messages", new AppendRequest([new MessageBody(new byte[100_000])]), node.Control), ApiErrorCode.Overloaded);
        await Eventually.HoldsAsync(() => budget.TakenBytes == BodyLimits.BodyBytes, "all others have given back");
        budget.GiveBack(BodyLimits.BodyBytes);
    }

    [Fact]
    public async Task Whatever_becomes_of_a_request_its_room_is_given_back()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: Smallest);
        var budget = node.Services.GetRequiredService<BodyBudget>();
        await TestNode.ProblemAsync(node.PostRawAsync($"channels/{channel}/messages", "{"), ApiErrorCode.InvalidArgument);
        await TestNode.ProblemAsync(node.PostAsync("channels/elsewhere/messages", new AppendRequest([new MessageBody([1])])), ApiErrorCode.NotLeader);
        using (var large = new SlowBody(new byte[BodyLimits.BodyBytes + 1], AppendFrames.MediaType))
        {
            large.Finish();
            await TestNode.ProblemAsync(PostAsync(node.Client, channel, large), ApiErrorCode.PayloadTooLarge);
        }

        using (var left = new SlowBody([1, 2, 3], AppendFrames.MediaType))
        using (var gone = new CancellationTokenSource())
        {
            var call = PostAsync(node.Client, channel, left, gone.Token);
            await Eventually.HoldsAsync(() => budget.TakenBytes == BodyLimits.BodyBytes, "it has its room");
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        }

        await Eventually.HoldsAsync(() => budget.TakenBytes == 0, "all is given back");
    }

    [Fact]
    public async Task Reads_that_may_wait_are_bounded_and_others_are_not()
    {
        var channel = NodeFixture.NewChannel();
        await using var plane = await ScriptedControlPlane.StartAsync();
        await using var node = await TestNode.LeadingAsync(fixture, plane, channel, settings: ("Node:MaxWaitingReaders", "2"));
        var readers = node.Services.GetRequiredService<WaitingReaders>();
        Task<ReadResponse>[] waiting = [node.ReadAsync(channel, waitMs: 60_000), node.ReadAsync(channel, waitMs: 60_000)];
        await Eventually.HoldsAsync(() => readers.Count == 2, "two reads wait");

        using var refused = await node.Client.GetAsync($"channels/{channel}/messages?waitMs=1");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
        Assert.Empty((await node.ReadAsync(channel)).Messages);

        await node.AppendAsync(channel, "for both");
        Assert.All(await Task.WhenAll(waiting), read => Assert.Single(read.Messages));
        await Eventually.HoldsAsync(() => readers.Count == 0, "their places are free");
        Assert.Single((await node.ReadAsync(channel, waitMs: 1)).Messages);
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string channel, SlowBody body, CancellationToken ct = default) =>
        await client.PostAsync(new Uri($"channels/{channel}/messages", UriKind.Relative), body, ct);

    /// <summary>A body of unknown length that ends when it is told to.</summary>
    private sealed class SlowBody : HttpContent
    {
        private readonly byte[] _bytes;
        private readonly TaskCompletionSource _finish = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SlowBody(byte[] bytes, string type)
        {
            _bytes = bytes;
            Headers.ContentType = new MediaTypeHeaderValue(type);
        }

        /// <summary>Somebody wanted its bytes.</summary>
        public bool Asked { get; private set; }

        public void Finish() => _finish.TrySetResult();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            Asked = true;
            await stream.WriteAsync(_bytes, cancellationToken);
            await stream.FlushAsync(cancellationToken);
            await _finish.Task.WaitAsync(cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
