using System.Globalization;
using System.Net;
using Baton.DevHost.FunctionsHost.Apps;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Baton.DevHost.FunctionsHost;

/// <summary>The host's own web server, on loopback only.</summary>
internal static class HostListener
{
    private const string BodyLimitSetting = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT";
    private const long DefaultBodyLimitBytes = 104_857_600;

    // The functions' own requests are given up at once when the host stops; this is for the management API's long waits.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    /// <summary>The largest request body that the host takes, in bytes.</summary>
    public static long BodyLimitBytes(AppSettings settings) => settings.Find(BodyLimitSetting) switch
    {
        null or "" => DefaultBodyLimitBytes,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit > 0 => limit,
        var text => throw new InvalidFunctionAppException($"The setting {BodyLimitSetting} \"{text}\" must be a number of bytes above zero."),
    };

    /// <summary>A server that is not started yet.</summary>
    /// <param name="port">0 for a free one.</param>
    /// <param name="bodyLimitBytes">The largest body.</param>
    /// <param name="open">Requests wait until this is done.</param>
    /// <param name="loggers">For its log.</param>
    public static WebApplication Create(int port, long bodyLimitBytes, Task open, ILoggerFactory loggers)
    {
        // Empty: this process's environment and settings files configure DevHost, never the server inside it.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<ILoggerFactory>(_ => new ListenerLog(loggers));
        builder.Services.AddSingleton(typeof(ILogger<>), typeof(Logger<>));
        builder.Services.AddRouting();
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = bodyLimitBytes;
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = StopGrace);
        var listener = builder.Build();
        listener.Use(async (context, next) =>
        {
            await open.WaitAsync(context.RequestAborted);
            await next(context);
        });
        return listener;
    }

    // Signals belong to the process that runs the host, not to a server inside it.
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
