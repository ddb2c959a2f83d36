using System.Globalization;
using System.Net.Sockets;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.Processes;

namespace Baton.DevHost.FunctionsHost.Handler;

/// <summary>One run of the handler process, from start to exit.</summary>
internal sealed class HandlerGeneration : IAsyncDisposable
{
    private static readonly TimeSpan PingInterval = TimeSpan.FromMilliseconds(25);
    private readonly ChildProcess _process;
    private readonly TaskCompletionSource _noticed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HandlerGeneration(ChildProcess process, Uri address)
    {
        _process = process;
        Address = address;
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>Its process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>The host killed it on purpose: its exit code says nothing.</summary>
    public bool Recycled { get; private set; }

    /// <summary>Starts the process. It is not ready yet.</summary>
    public static HandlerGeneration Start(FunctionApp app, IReadOnlyDictionary<string, string> settings, ILogger logger)
    {
        var handler = app.Manifest.Handler;
        var port = handler.Port == 0 ? HandlerPort.Free() : handler.Port;
        var portText = port.ToString(CultureInfo.InvariantCulture);
        var workerId = Guid.NewGuid().ToString();
        var environment = new Dictionary<string, string>(settings, StringComparer.Ordinal)
        {
            ["FUNCTIONS_CUSTOMHANDLER_PORT"] = portText,
            ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] = workerId,
            ["FUNCTIONS_HTTPWORKER_PORT"] = portText,
            ["FUNCTIONS_HTTPWORKER_ID"] = workerId,
            ["FUNCTIONS_APP_ROOT_PATH"] = app.Root,

            // Not of the protocol: the real host's sandbox ends with its handler in it; here the handler must notice that the host is gone.
            ["ExitWhenStdinCloses"] = "true",
        };
        var process = ChildProcess.Start(new ChildProcessStart(
            "handler",
            handler.Executable,
            handler.Arguments,
            handler.WorkingDirectory,
            environment,
            OnLine: line => logger.LogInformation("{Line}", line),
            OnErrorLine: line => logger.Log(line.Contains("warn", StringComparison.OrdinalIgnoreCase) ? LogLevel.Warning : LogLevel.Error, "{Line}", line)));
        return new HandlerGeneration(process, new Uri($"http://127.0.0.1:{portText}/"));
    }

    /// <summary>Waits until it answers HTTP in any way.</summary>
    /// <returns>False when it ended, or did not answer within <paramref name="timeout"/>.</returns>
    public async Task<bool> WaitUntilReadyAsync(HttpClient http, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        while (!_process.HasExited && !late.IsCancellationRequested)
        {
            try
            {
                using var answer = await http.GetAsync(Address, ends.Token);
                return true;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // It took the connection and said nothing.
                return false;
            }
            catch (HttpRequestException e) when (e.InnerException is SocketException)
            {
                await Task.Delay(PingInterval, time, cancellationToken);
            }
            catch (HttpRequestException)
            {
                // It listens: whatever it answered counts.
                return true;
            }
        }

        return false;
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> WaitForExitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Completes when no further call is sent to it, since its end was noticed.</summary>
    public Task Noticed => _noticed.Task;

    /// <summary>No further call is sent to it.</summary>
    public void EndIsNoticed() => _noticed.TrySetResult();

    /// <summary>SIGKILL, and waits until it is gone. Does nothing once it is.</summary>
    public async Task KillAsync()
    {
        try
        {
            await _process.KillAsync();
        }
        catch (InvalidOperationException)
        {
            // The watch saw its end and has released it.
        }
    }

    /// <summary>SIGKILL on the host's own account: the next one is started and no error is counted.</summary>
    public Task RecycleAsync()
    {
        Recycled = true;
        return KillAsync();
    }

    /// <summary>What it printed last.</summary>
    public string LastLines() => _process.LastLines();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
