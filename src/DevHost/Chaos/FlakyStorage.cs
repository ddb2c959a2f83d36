using System.Diagnostics;
using System.Net;
using Baton.DevHost.FunctionsHost.Http;
using Baton.Edge.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Baton.DevHost.Chaos;

/// <summary>
/// A proxy on loopback before a storage account, which for a while answers that it is busy, or swallows what it is sent: the outages that a storage service has
/// and Azurite has not. A shared key signs an account's name and path and not its host, so clients need nothing but <see cref="ConnectionString"/>.
/// </summary>
public sealed class FlakyStorage : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;
    private static readonly string[] Endpoints = ["BlobEndpoint", "QueueEndpoint", "TableEndpoint"];
    private readonly HttpClient _http = new(new ConnectFaults(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false })) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly List<WebApplication> _services = [];
    private Outage? _outage;
    private long _refused;

    private FlakyStorage(string connectionString) => ConnectionString = connectionString;

    /// <summary>The account's connection string, by way of this proxy. It holds the account's key.</summary>
    public string ConnectionString { get; private set; }

    /// <summary>Requests that got no answer of the storage, since the start.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Starts the proxy before the account of a connection string with explicit endpoints.</summary>
    /// <exception cref="ArgumentException">The connection string names no endpoint.</exception>
    public static async Task<FlakyStorage> StartAsync(string connectionString, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        var parts = connectionString.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var proxy = new FlakyStorage(connectionString);
        try
        {
            foreach (var name in Endpoints)
            {
                if (!parts.TryGetValue(name, out var endpoint))
                {
                    throw new ArgumentException($"The connection string has no {name}.", nameof(connectionString));
                }

                var service = new Uri(endpoint);
                parts[name] = new UriBuilder(service) { Port = await proxy.ListenAsync(service, cancellationToken) }.Uri.ToString();
            }

            proxy.ConnectionString = string.Join(';', parts.Select(p => $"{p.Key}={p.Value}"));
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }

    /// <summary>From now on, for <paramref name="time"/>, every request is answered 503 ServerBusy, and does nothing.</summary>
    public void AnswerBusyFor(TimeSpan time) => Begin(new Outage(time, Swallows: false, Stopwatch.GetTimestamp()));

    /// <summary>From now on, for <paramref name="time"/>, every request is taken, does nothing, and gets no answer; its connection is cut when the time is over.</summary>
    public void SwallowFor(TimeSpan time) => Begin(new Outage(time, Swallows: true, Stopwatch.GetTimestamp()));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
        {
            using var atOnce = new CancellationTokenSource();
            await atOnce.CancelAsync();
            await service.StopAsync(atOnce.Token);
            await service.DisposeAsync();
        }

        _http.Dispose();
    }

    private void Begin(Outage outage) => Volatile.Write(ref _outage, outage);

    private async Task<int> ListenAsync(Uri service, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.AddServerHeader = false;
        });
        var app = builder.Build();
        var origin = service.GetLeftPart(UriPartial.Authority);
        app.Run(context => HandleAsync(context, origin));
        _services.Add(app);
        await app.StartAsync(cancellationToken);
        return new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    private async Task HandleAsync(HttpContext context, string origin)
    {
        if (Volatile.Read(ref _outage) is { } outage && outage.Left() is var left && left > TimeSpan.Zero)
        {
            Interlocked.Increment(ref _refused);
            await RefuseAsync(context, outage, left);
            return;
        }

        try
        {
            using var request = Copy(context.Request, origin, context.Features.Get<IHttpRequestFeature>()!.RawTarget);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
            await Forwarding.WriteAsync(context, answer);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            // Either side has gone away: the other sees the same.
            context.Abort();
        }
    }

    private static async Task RefuseAsync(HttpContext context, Outage outage, TimeSpan left)
    {
        if (outage.Swallows)
        {
            try
            {
                await Task.Delay(left, context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                // Its sender gave up first.
            }

            context.Abort();
            return;
        }

        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/xml";
        context.Response.Headers["x-ms-error-code"] = "ServerBusy";
        await context.Response.WriteAsync("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>ServerBusy</Code><Message>The server is busy (chaos).</Message></Error>", context.RequestAborted);
    }

    private static HttpRequestMessage Copy(HttpRequest original, string origin, string rawTarget)
    {
        // As it was sent, escapes and all: it is signed.
        var target = new Uri(origin + rawTarget, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var request = new HttpRequestMessage(new HttpMethod(original.Method), target);
        if (original.ContentLength is > 0 || original.Headers.TransferEncoding.Count > 0)
        {
            request.Content = new StreamContent(original.Body, BufferBytes);
        }
        else if (original.ContentLength is 0)
        {
            request.Content = new ByteArrayContent([]);
        }

        foreach (var (name, value) in original.Headers)
        {
            if (!Forwarding.IsHopByHop(name) && !name.Equals("Host", StringComparison.OrdinalIgnoreCase) && !request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
            }
        }

        return request;
    }

    private sealed record Outage(TimeSpan Time, bool Swallows, long Began)
    {
        public TimeSpan Left() => Time - Stopwatch.GetElapsedTime(Began);
    }
}
