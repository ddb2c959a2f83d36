using Baton.DevHost.FunctionsHost.Apps;

namespace Baton.DevHost.FunctionsHost.Handler;

/// <summary>Keeps the app's one handler process running, by the real host's rules.</summary>
internal sealed class HandlerSupervisor : IAsyncDisposable
{
    private readonly FunctionApp _app;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly HttpClient _http;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HandlerExitRules _exits = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<string> _hostMustStop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TaskCompletionSource<HandlerGeneration> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile HandlerGeneration _current;
    private Task _watch = Task.CompletedTask;

    private HandlerSupervisor(FunctionApp app, IReadOnlyDictionary<string, string> settings, HttpClient http, TimeProvider time, ILogger logger, HandlerGeneration first)
    {
        _app = app;
        _settings = settings;
        _http = http;
        _time = time;
        _logger = logger;
        _current = first;
    }

    /// <summary>The running (or last) handler's process id.</summary>
    public int ProcessId => _current.ProcessId;

    /// <summary>Completes, with the reason, when the rules say that the host must stop.</summary>
    public Task<string> HostMustStop => _hostMustStop.Task;

    /// <summary>Starts the first handler and waits until it is ready.</summary>
    /// <exception cref="InvalidFunctionAppException">It did not start; the message holds its last output. (The real host would try twice more.)</exception>
    public static async Task<HandlerSupervisor> StartAsync(
        FunctionApp app,
        IReadOnlyDictionary<string, string> settings,
        HttpClient http,
        TimeProvider time,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        var first = Launch(app, settings, logger);
        try
        {
            if (!await first.WaitUntilReadyAsync(http, app.Manifest.Handler.InitializationTimeout, time, cancellationToken))
            {
                throw new InvalidFunctionAppException(
                    $"The handler {app.Manifest.Handler.Executable} ended or answered nothing at {first.Address} within {app.Manifest.Handler.InitializationTimeout.TotalSeconds:0} s. Its last output:\n{first.LastLines()}");
            }
        }
        catch
        {
            await first.KillAsync();
            await first.DisposeAsync();
            throw;
        }

        var supervisor = new HandlerSupervisor(app, settings, http, time, logger, first);
        supervisor._ready.SetResult(first);
        supervisor._watch = supervisor.WatchAsync();
        return supervisor;
    }

    /// <summary>
    /// The handler to call. While one is being started this waits for it, so that a restart burns no deliveries of a queue. One that left for good (exit code 0)
    /// is returned all the same: calls to it fail.
    /// </summary>
    public Task<HandlerGeneration> ReadyAsync(CancellationToken cancellationToken) => _ready.Task.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watch;
        await _current.DisposeAsync();
        _stopping.Dispose();
    }

    private static HandlerGeneration Launch(FunctionApp app, IReadOnlyDictionary<string, string> settings, ILogger logger)
    {
        try
        {
            return HandlerGeneration.Start(app, settings, logger);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidFunctionAppException($"The handler {app.Manifest.Handler.Executable} cannot be started: {e.Message}", e);
        }
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                var exitCode = await _current.WaitForExitAsync(_stopping.Token);
                var decision = _current.Recycled ? ExitDecision.Restart : _exits.OnExit(exitCode, _time.GetUtcNow());
                _logger.LogWarning("The handler {ProcessId} ended with exit code {ExitCode}: {Decision}", _current.ProcessId, exitCode, decision);
                switch (decision)
                {
                    case ExitDecision.StayDown:
                        _ready.TrySetResult(_current);
                        _current.EndIsNoticed();
                        return;
                    case ExitDecision.StopHost:
                        Stop($"The handler ended with an error (exit code {exitCode}) for the third time, each less than 30 minutes after the one before.");
                        return;
                    default:
                        await RestartAsync();
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            _ready.TrySetCanceled(_stopping.Token);
        }
        catch (Exception e) when (e is InvalidFunctionAppException or InvalidOperationException)
        {
            Stop($"The handler cannot be started again: {e.Message}");
        }
    }

    private async Task RestartAsync()
    {
        // Whoever waited for a handler that never became ready goes on waiting for this one.
        if (_ready.Task.IsCompleted)
        {
            _ready = new TaskCompletionSource<HandlerGeneration>(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _current.EndIsNoticed();
        await _current.DisposeAsync();
        _current = Launch(_app, _settings, _logger);
        if (await _current.WaitUntilReadyAsync(_http, _app.Manifest.Handler.InitializationTimeout, _time, _stopping.Token))
        {
            _ready.SetResult(_current);
        }
        else
        {
            // Its end is an error event of its own, which the watch sees next.
            await _current.KillAsync();
        }
    }

    private void Stop(string reason)
    {
        _logger.LogError("{Reason} The host stops.", reason);
        _ready.TrySetCanceled();
        _current.EndIsNoticed();
        _hostMustStop.TrySetResult(reason);
    }
}
