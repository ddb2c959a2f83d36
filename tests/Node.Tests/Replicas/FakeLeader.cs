using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Node.Replicas.Feed;
using Baton.Node.Tests.Harness;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Baton.Node.Tests.Replicas;

/// <summary>A leader whose stream the test writes, frame by frame.</summary>
internal sealed class FakeLeader : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stop = new();

    private FakeLeader(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    /// <summary>Streams that were asked for, each with its query.</summary>
    public ConcurrentQueue<Stream> Opened { get; } = new();

    /// <summary>Reports of progress.</summary>
    public ConcurrentQueue<ReplicaProgressRequest> Reports { get; } = new();

    /// <summary>What a stream begins with.</summary>
    public FeedStart Start { get; set; } = new(1, 1, 0);

    /// <summary>While set, subscriptions are answered with it.</summary>
    public int? Refuses { get; set; }

    /// <summary>Subscriptions that were refused.</summary>
    public int Refused;

    public static async Task<FakeLeader> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var leader = new FakeLeader(app);
        app.MapGet("/channels/{channel}/feed", leader.FeedAsync);
        app.MapPost("/channels/{channel}/replicas/{node}", async (HttpContext context) =>
        {
            leader.Reports.Enqueue((await JsonSerializer.DeserializeAsync<ReplicaProgressRequest>(context.Request.Body, BatonJson.Options))!);
            return Results.NoContent();
        });
        await app.StartAsync();
        return leader;
    }

    /// <summary>The next stream that a follower opens.</summary>
    public async Task<Stream> NextAsync()
    {
        Stream? stream = null;
        await Eventually.HoldsAsync(() => Opened.TryDequeue(out stream), "the follower subscribes");
        return stream!;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _app.DisposeAsync();
        _stop.Dispose();
    }

    private async Task FeedAsync(HttpContext context)
    {
        Assert.Equal($"Bearer {TestNode.ControlSecret}", context.Request.Headers.Authorization.ToString());
        if (Refuses is { } status)
        {
            Interlocked.Increment(ref Refused);
            context.Response.StatusCode = status;
            return;
        }

        context.Response.ContentType = FeedFrame.MediaType;
        var stream = new Stream(context);
        await stream.SendAsync(FeedFrame.Start(Start));
        Opened.Enqueue(stream);
        await stream.OverAsync(_stop.Token);
    }

    /// <summary>One follower's connection.</summary>
    internal sealed class Stream(HttpContext context)
    {
        private readonly CancellationToken _aborted = context.RequestAborted;
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Query { get; } = context.Request.QueryString.ToString();

        /// <summary>The follower has hung up.</summary>
        public bool Gone => _aborted.IsCancellationRequested;

        public Task PushAsync(byte[] batch) => FrameAsync(FeedFrameKind.Batch, batch);

        public Task DurableAsync(long lsn) => FrameAsync(FeedFrameKind.Durable, BitConverter.GetBytes(lsn));

        public Task FrameAsync(FeedFrameKind kind, byte[] payload)
        {
            var frame = new byte[FeedFrame.HeaderSizeBytes + payload.Length];
            FeedFrame.WriteHeader(frame, kind, payload.Length);
            payload.CopyTo(frame, FeedFrame.HeaderSizeBytes);
            return SendAsync(frame);
        }

        public async Task SendAsync(byte[] bytes)
        {
            await context.Response.Body.WriteAsync(bytes);
            await context.Response.Body.FlushAsync();
        }

        /// <summary>Ends the stream as a leader does that leads no more.</summary>
        public void End() => _end.TrySetResult();

        public async Task OverAsync(CancellationToken stop)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _aborted);
            await _end.Task.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
