using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Baton.Edge.Hosting;

/// <summary>Setting <c>ExitWhenStdinCloses</c>: whoever started this process holds its standard input open; when it dies it cannot say so, but its end of the pipe goes with it, and this process stops too.</summary>
public sealed partial class StdinWatch(IHostApplicationLifetime lifetime, ILogger<StdinWatch> log) : IHostedService
{
    /// <summary>The setting's name.</summary>
    public const string Setting = "ExitWhenStdinCloses";

    /// <summary>Watches, where <paramref name="configuration"/> asks for it.</summary>
    public static void Add(IServiceCollection services, IConfiguration configuration)
    {
        if (configuration.GetValue<bool>(Setting))
        {
            services.AddHostedService<StdinWatch>();
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // A read of standard input cannot be cancelled: a thread of its own waits in it and dies with the process.
        new Thread(WaitForEnd) { IsBackground = true, Name = "stdin watch" }.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void WaitForEnd()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> ignored = stackalloc byte[256];
        try
        {
            while (input.Read(ignored) > 0)
            {
                // What is written there means nothing.
            }
        }
        catch (IOException e)
        {
            LogFault(log, e);
        }

        LogClosed(log);
        lifetime.StopApplication();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Standard input failed, which counts as closed")]
    private static partial void LogFault(ILogger log, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "Standard input closed: whoever started this process is gone, so it stops")]
    private static partial void LogClosed(ILogger log);
}
