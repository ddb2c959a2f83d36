using System.Globalization;
using System.Net;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Edge.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Baton.Functions.Hosting;

/// <summary>The process that the Functions host starts and calls over HTTP.</summary>
internal static class FunctionsApp
{
    /// <summary>The most bytes a call may have: as many as the host takes itself. The histories of orchestrations come in one piece.</summary>
    public const long MaxBodyBytes = 104_857_600;

    /// <summary>The exit code of a stop that was asked for. After 0 the host would neither start the app again nor notice that it is gone.</summary>
    public const int StoppedExitCode = 200;

    /// <summary>The setting with the port to listen on, which the host makes.</summary>
    public const string PortSetting = "FUNCTIONS_CUSTOMHANDLER_PORT";

    // The host has ended its calls by then; a call that does not notice must not keep an orphan alive.
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(5);

    /// <summary>A builder with everything but the capabilities.</summary>
    /// <exception cref="InvalidOperationException">The port is not set.</exception>
    public static WebApplicationBuilder CreateBuilder(string[] args, FunctionCatalog catalog)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.Host.UseDefaultServiceProvider(services =>
        {
            // What an emergency needs is found missing at the start, not in the emergency.
            services.ValidateOnBuild = true;
            services.ValidateScopes = true;
        });
        var port = Port(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, port));
        AddLogging(builder.Logging);

        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        builder.Services.ConfigureHttpJsonOptions(json => UseBatonJson(json.SerializerOptions));
        builder.Services.AddSingleton(catalog);
        builder.Services.AddSingleton<DurableClients>();
        builder.Services.AddSingleton<FunctionInvoker>();
        foreach (var type in catalog.Functions.Where(function => !function.Method.IsStatic).Select(function => function.Method.DeclaringType!))
        {
            builder.Services.TryAddScoped(type);
        }

        StdinWatch.Add(builder.Services, builder.Configuration);

        return builder;
    }

    /// <summary>The app of <paramref name="builder"/> with every function's address.</summary>
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        var app = builder.Build();
        var invoker = app.Services.GetRequiredService<FunctionInvoker>();

        // The host asks here until the app answers, and later to see that it still does.
        app.MapGet("/", (RequestDelegate)(context => context.Response.WriteAsync("ready", context.RequestAborted)));
        foreach (var function in app.Services.GetRequiredService<FunctionCatalog>().Functions)
        {
            app.MapPost($"/{function.Name}", (RequestDelegate)(host => invoker.EnvelopedAsync(function, host)));
            if (function.IsForwarded)
            {
                var http = (HttpTriggerAttribute)function.Trigger;
                app.MapMethods(
                    $"/{FunctionCatalog.RoutePrefix}/{http.Route}",
                    http.Methods.Select(verb => verb.ToUpperInvariant()),
                    (RequestDelegate)(host => invoker.ForwardedAsync(function, host)));
            }
        }

        app.MapFallback((RequestDelegate)(host => new ProblemResult(new ApiError(ApiErrorCode.NotFound, "There is nothing at this path.")).ExecuteAsync(host)));
        return app;
    }

    private static int Port(ConfigurationManager configuration) =>
        int.TryParse(configuration[PortSetting], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= IPEndPoint.MaxPort
            ? port
            : throw new InvalidOperationException(
                $"{PortSetting} is '{configuration[PortSetting]}', which is no port. The Functions host sets it: start the app through the host.");

    private static void Listen(KestrelServerOptions kestrel, int port)
    {
        kestrel.Listen(IPAddress.Loopback, port, endpoint => endpoint.Protocols = HttpProtocols.Http1);
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;

        // The host takes 32 KiB of headers from its caller and adds its own.
        kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
    }

    // The host logs each line of standard output as information and of standard error as an error: one event is one line.
    private static void AddLogging(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Error);
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
        });
        logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
    }

    private static void UseBatonJson(JsonSerializerOptions options)
    {
        options.DefaultIgnoreCondition = BatonJson.Options.DefaultIgnoreCondition;
        options.NumberHandling = BatonJson.Options.NumberHandling;
        options.MaxDepth = BatonJson.Options.MaxDepth;
        options.RespectNullableAnnotations = BatonJson.Options.RespectNullableAnnotations;
        foreach (var converter in BatonJson.Options.Converters)
        {
            options.Converters.Add(converter);
        }
    }
}
