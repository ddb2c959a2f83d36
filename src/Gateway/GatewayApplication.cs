using Baton.Edge.Answers;
using Baton.Edge.Bodies;
using Baton.Edge.Hosting;
using Baton.Edge.Settings;
using Baton.Gateway.Access;
using Baton.Gateway.ControlPlane;
using Baton.Gateway.Forwarding;
using Baton.Gateway.Producers;
using Baton.Gateway.Reports;
using Baton.Gateway.Routing;
using Baton.Gateway.Settings;
using Baton.Gateway.Status;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace Baton.Gateway;

/// <summary>The gateway as a program: one address for clients.</summary>
internal static partial class GatewayApplication
{
    /// <summary>A gateway that is ready to be started.</summary>
    /// <param name="args">Settings from the command line, over those of the environment.</param>
    /// <param name="configure">Last word on settings and services, for tests.</param>
    /// <exception cref="OptionsValidationException">Settings are wrong; an <see cref="AggregateException"/> of them where more than one section is.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        LogOutput.Add(builder, $"{GatewaySettings.Section}:{nameof(GatewaySettings.LogFormat)}");
        AddSettings(builder);
        AddServices(builder.Services);
        configure?.Invoke(builder);
        HttpDoor.Add(builder, () =>
        {
            var listen = builder.Configuration.GetSection(GatewaySettings.Section).Get<GatewaySettings>() ?? new GatewaySettings();
            return (listen.ListenAddress, listen.ListenPort);
        });

        var app = builder.Build();

        // Before anything is made of them: a later failure would come out of whatever part asked first.
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        app.UseRequestMetrics();
        app.UseProblemAnswers();
        app.UseRouting();
        app.UseClientAccess();
        app.MapStatus();
        app.MapForwarding();
        app.Lifetime.ApplicationStarted.Register(() =>
            LogListening(app.Logger, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
        return app;
    }

    private static void AddSettings(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<GatewaySettings>().BindConfiguration(GatewaySettings.Section).ValidateOnStart();
        services.AddOptions<ClusterSettings>().BindConfiguration(ClusterSettings.Section).ValidateOnStart();
        services.AddOptions<ControlPlaneSettings>().BindConfiguration(ControlPlaneSettings.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<GatewaySettings>, GatewaySettingsCheck>();
        services.AddSingleton<IValidateOptions<ClusterSettings>, GatewaySettingsCheck>();
        services.AddSingleton<IValidateOptions<ControlPlaneSettings>, ControlPlaneSettingsCheck>();

        // What is held may need all of its time, and what the host gives requests and logs to end stays as it is.
        services.Configure<HostOptions>(host => host.ShutdownTimeout += TimeSpan.FromMilliseconds(builder.Configuration.GetValue($"{GatewaySettings.Section}:{nameof(GatewaySettings.HoldMs)}", new GatewaySettings().HoldMs)));
        StdinWatch.Add(services, builder.Configuration);
    }

    private static void AddServices(IServiceCollection services)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(s => new BodyBudget(Settings(s).MaxRequestBytesInFlight, $"{GatewaySettings.Section}:{nameof(GatewaySettings.MaxRequestBytesInFlight)}", s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new HeldRequests(Settings(s).MaxHeldRequests));
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton<ControlPlaneClient>();
        services.AddSingleton<RouteTable>();
        services.AddSingleton<LaneTable>();
        services.AddSingleton<Stopping>();
        services.AddSingleton<Attempts>();
        services.AddSingleton<Forwarder>();

        // Started before the door is opened and stopped after it is closed, so that requests that are finished meanwhile still see the route.
        services.AddHostedService<RouteFollower>();
        services.AddSingleton<FailureReports>();
        services.AddHostedService(s => s.GetRequiredService<FailureReports>());
    }

    private static GatewaySettings Settings(IServiceProvider services) => services.GetRequiredService<IOptions<GatewaySettings>>().Value;

    // Whoever starts a gateway as a child process waits for this line.
    [LoggerMessage(Level = LogLevel.Information, Message = "Baton gateway listening on {Address}")]
    private static partial void LogListening(ILogger log, string address);
}
