using Microsoft.Extensions.Hosting;

namespace Baton.Edge.Hosting;

/// <summary>Setting <c>ExitWhenStdinCloses</c>: whoever started this process holds its standard input open; when it dies, this process stops too.</summary>
public sealed class StdinWatch(IHostApplicationLifetime lifetime) : IHostedService
{
    /// <summary>The setting's name.</summary>
    public const string Setting = "ExitWhenStdinCloses";

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // A read of standard input cannot be cancelled: a thread of its own waits in it and dies with the process.
        new Thread(() =>
        {
            var buffer = new byte[256];
            using var input = Console.OpenStandardInput();
            while (input.Read(buffer) > 0)
            {
                // What is written there means nothing.
            }

            lifetime.StopApplication();
        })
        { IsBackground = true, Name = "stdin watch" }.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
