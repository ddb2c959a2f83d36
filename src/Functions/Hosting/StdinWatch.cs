namespace Baton.Functions.Hosting;

/// <summary>
/// Stops the app when its standard input closes: a local host that dies cannot say so, but its end of the pipe goes with it. In Azure the
/// setting is off, for there is no such pipe.
/// </summary>
internal sealed class StdinWatch(IHostApplicationLifetime lifetime, ILogger<StdinWatch> logger) : IHostedService
{
    /// <summary>The setting that switches it on.</summary>
    public const string Setting = "ExitWhenStdinCloses";

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // A thread of its own: reads of a pipe cannot be cancelled, and a background thread does not keep the process alive.
        new Thread(WaitForEnd) { IsBackground = true, Name = nameof(StdinWatch) }.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void WaitForEnd()
    {
        using var stdin = Console.OpenStandardInput();
        Span<byte> ignored = stackalloc byte[256];
        try
        {
            while (stdin.Read(ignored) > 0)
            {
            }
        }
        catch (IOException e)
        {
            logger.LogDebug(e, "Standard input failed, which counts as closed");
        }

        logger.LogInformation("Standard input closed: the host is gone, so this app stops");
        lifetime.StopApplication();
    }
}
