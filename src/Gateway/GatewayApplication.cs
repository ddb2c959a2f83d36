using System.Net;
using Baton.Edge.Answers;
using Baton.Edge.Bodies;
using Baton.Edge.Hosting;
using Baton.Gateway.Settings;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Baton.Gateway;

/// <summary>The gateway as a program: one address for clients.</summary>
internal static partial class GatewayApplication
{
    /// <summary>Builds it.</summary>
    /// <param name="args">Settings from the command line, over those of the environment.</param>
    /// <param name="configure">Last word on settings and services, for tests.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        LogOutput.Add(builder, $"{GatewaySettings.Section}:LogFormat");
        builder.Services.AddOptions<GatewaySettings>().BindConfiguration(GatewaySettings.Section).ValidateOnStart();
        builder.Services.AddSingleton(TimeProvider.System);
        if (builder.Configuration.GetValue<bool>(StdinWatch.Setting))
        {
            builder.Services.AddHostedService<StdinWatch>();
        }

        configure?.Invoke(builder);
        var settings = builder.Configuration.GetSection(GatewaySettings.Section).Get<GatewaySettings>() ?? new GatewaySettings();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Parse(settings.ListenAddress), settings.ListenPort);
            kestrel.Limits.MaxRequestBodySize = BodyLimits.DiscardedBytes;
            kestrel.AddServerHeader = false;
        });

        var app = builder.Build();
        app.UseProblemAnswers();
        app.Lifetime.ApplicationStarted.Register(() =>
            LogListening(app.Logger, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
        return app;
    }

    // Whoever starts a gateway as a child process waits for this line.
    [LoggerMessage(Level = LogLevel.Information, Message = "Baton gateway listening on {Address}")]
    private static partial void LogListening(ILogger log, string address);
}
