using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Baton.Core.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Baton.Gateway.Tests.Harness;

/// <summary>A request as a fake node got it.</summary>
internal sealed record ReceivedRequest(string Method, string Path, string Query, string? ContentType, string? Authorization, string? Term, string? Stamp, byte[] Body);

/// <summary>A node whose answers the test writes. Its address stays its own while it is down.</summary>
internal sealed class FakeNode : IAsyncDisposable
{
    private WebApplication? _app;
    private Socket? _place;

    private FakeNode(string id) => Id = id;

    public string Id { get; }

    public Uri Address { get; private set; } = new("http://127.0.0.1:1");

    /// <summary>What came, in the order it came; the body was read before.</summary>
    public ConcurrentQueue<ReceivedRequest> Received { get; } = new();

    /// <summary>Answers a request; the number counts those before it.</summary>
    public Func<HttpContext, ReceivedRequest, int, Task> Answer { get; set; } = (context, _, _) => Appended(context);

    public static async Task<FakeNode> StartAsync(string id)
    {
        var node = new FakeNode(id);
        await node.UpAsync();
        return node;
    }

    /// <summary>A node that nobody can connect to, but whose address is its own.</summary>
    public static async Task<FakeNode> DownAsync(string id)
    {
        var node = await StartAsync(id);
        await node.DownAsync();
        return node;
    }

    /// <summary>200 as for an append.</summary>
    public static Task Appended(HttpContext context, long lsn = 1) => context.Response.WriteAsJsonAsync(new AppendResponse(lsn, lsn, 1_024, 1), BatonJson.Options);

    /// <summary>An error as a node answers it.</summary>
    public static Task Refused(HttpContext context, ApiErrorCode code, string detail = "as the test wants it", LeaderHint? leader = null, int? retryAfter = null)
    {
        context.Response.StatusCode = code.Status();
        if (retryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return context.Response.WriteAsJsonAsync(Problem.From(new ApiError(code, detail), leader), BatonJson.Options, Problem.MediaType);
    }

    /// <summary>No answer until the caller gives up.</summary>
    public static Task Silent(HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);

    /// <summary>Cuts the connection without an answer.</summary>
    public static Task Reset(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    /// <summary>Cuts the connection in the midst of a good answer.</summary>
    public static async Task HalfAnAnswer(HttpContext context)
    {
        var whole = JsonSerializer.SerializeToUtf8Bytes(new AppendResponse(1, 1, 1_024, 1), BatonJson.Options);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = whole.Length;
        await context.Response.Body.WriteAsync(whole.AsMemory(0, whole.Length / 2));
        await context.Response.Body.FlushAsync();
        context.Abort();
    }

    public async Task UpAsync()
    {
        LeavePlace();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(h => h.ShutdownTimeout = TimeSpan.Zero);
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Listen(IPAddress.Loopback, Address.Port == 1 ? 0 : Address.Port);
            k.Limits.MaxRequestBodySize = null;
        });
        _app = builder.Build();
        _app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            var headers = context.Request.Headers;
            var received = new ReceivedRequest(
                context.Request.Method,
                context.Request.Path,
                context.Request.QueryString.Value ?? "",
                context.Request.ContentType,
                headers.Authorization,
                headers[BatonHeaders.Term],
                headers[BatonHeaders.Producer],
                body.ToArray());
            var before = Received.Count;
            Received.Enqueue(received);
            await Answer(context, received, before);
        });
        await _app.StartAsync();
        Address = new Uri(_app.Urls.First());
    }

    /// <summary>Ends it as a kill does: connections are cut, and new ones refused.</summary>
    public async Task DownAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            await app.StopAsync();
            await app.DisposeAsync();

            // Bound and not listening: connections are refused, and no other test is given the port.
            _place = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _place.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            _place.Bind(new IPEndPoint(IPAddress.Loopback, Address.Port));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await DownAsync();
        LeavePlace();
    }

    private void LeavePlace()
    {
        _place?.Dispose();
        _place = null;
    }
}
