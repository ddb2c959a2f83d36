using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.DurableTriggers;
using Baton.DevHost.FunctionsHost.Handler;
using Baton.DevHost.FunctionsHost.Http;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.FunctionsHost.Queues;
using Baton.DevHost.FunctionsHost.Timers;
using Baton.DevHost.Orchestrations;
using Baton.Edge.Connections;

namespace Baton.DevHost.FunctionsHost;

/// <summary>
/// The Azure Functions host for one custom-handler app on this machine: same files, same HTTP protocol, same harsh rules. Storage queues play Service Bus.
/// </summary>
public sealed class FunctionsHost : IAsyncDisposable
{
    private readonly FunctionsHostOptions _options;
    private readonly FunctionApp _app;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly HttpClient _http = new(new ConnectFaults(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _stopAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CrashTrigger _crash;
    private HandlerSupervisor? _handlers;
    private OrchestrationEngine? _engine;
    private WebApplication? _listener;
    private Task _listeners = Task.CompletedTask;
    private Task? _watch;

    private FunctionsHost(FunctionsHostOptions options, FunctionApp app, ILoggerFactory loggers)
    {
        _options = options;
        _app = app;
        _loggers = loggers;
        _logger = loggers.CreateLogger<FunctionsHost>();
        _crash = new CrashTrigger(_logger);
        _crash.Set(options.CrashAt);
    }

    /// <summary>Where it listens.</summary>
    public Uri BaseAddress { get; private set; } = new("http://127.0.0.1/");

    /// <summary>The process id of the running (or last) handler.</summary>
    public int HandlerPid => _handlers?.ProcessId ?? 0;

    /// <summary>Why the host stopped; null while it runs.</summary>
    public string? StopReason => _stopAsked.Task is { IsCompletedSuccessfully: true, Result: var reason } ? reason : null;

    /// <summary>The engine of the app's orchestrations; null for an app without any.</summary>
    internal OrchestrationEngine? Engine => _engine;

    /// <summary>Reads the app, starts its handler and waits until it is ready, then opens the triggers.</summary>
    /// <exception cref="InvalidFunctionAppException">The app's files are wrong or its handler does not start.</exception>
    public static async Task<FunctionsHost> StartAsync(FunctionsHostOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(loggers);
        var settings = new AppSettings(options.AppSettings);
        var app = FunctionAppReader.Read(options.AppRoot, settings, options.HubName);
        var host = new FunctionsHost(options, app, loggers);
        try
        {
            await host.StartAsync(HostListener.BodyLimitBytes(settings), cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets where to crash, in place of what was said before; its calls count from now on.</summary>
    public void CrashAt(CrashPoint point) => _crash.Set(point);

    /// <summary>
    /// Completes when the host has stopped: its handler failed too often, a part of it ended, or it was disposed.
    /// <see cref="StopReason"/> says which.
    /// </summary>
    public Task WaitForShutdownAsync(CancellationToken cancellationToken) => _stopped.Task.WaitAsync(cancellationToken);

    /// <summary>Stops taking work, lets what is running be given up, and stops the handler.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopAsked.TrySetResult("The host was asked to stop.");

        // Without a watch the start failed half way.
        await (_watch ?? StopAsync());
        _http.Dispose();
        _stopping.Dispose();
    }

    private async Task StartAsync(long bodyLimitBytes, CancellationToken cancellationToken)
    {
        _handlers = await HandlerSupervisor.StartAsync(_app, _options.AppSettings, _http, _time, _loggers.CreateLogger("Handler"), cancellationToken);
        var invoker = new FunctionInvoker(_handlers, _http, _app.Manifest.FunctionTimeout, _crash, _time, _loggers, _stopping.Token);
        var inputs = new FunctionInputs(_options.HubName, () => BaseAddress, _options.Keys.System);
        var queues = new LocalQueues(_options.StorageConnectionString);
        var outputs = new OutputSender(queues);
        _engine = TaskHub.Open(_app, _options, new HandlerOrchestrationInvoker(_app, invoker, inputs), _time, _loggers);

        // The engine calls functions that are told this host's address, so the listener comes first; its callers wait until the engine is there.
        _listener = HostListener.Create(_options.Port, bodyLimitBytes, _open.Task, _loggers);
        if (_engine is not null)
        {
            _listener.MapDurableManagement(_engine, _options.Keys.System);
        }

        new HttpTriggers(_app, invoker, inputs, outputs, new HostKeyCheck(_options.Keys), bodyLimitBytes).Map(_listener);
        await _listener.StartAsync(cancellationToken);
        BaseAddress = new Uri(_listener.Urls.Single());
        if (_engine is not null)
        {
            await _engine.StartAsync(cancellationToken);
        }

        _open.SetResult();
        _listeners = Task.WhenAll(_app.Functions.Select(function => ListenAsync(function, queues, invoker, inputs, outputs)));
        _watch = WatchAsync(_handlers.HostMustStop);
        _logger.LogInformation("{Functions} functions of {AppRoot} at {BaseAddress}", _app.Functions.Count, _app.Root, BaseAddress);
    }

    private Task ListenAsync(FunctionDefinition function, LocalQueues queues, FunctionInvoker invoker, FunctionInputs inputs, OutputSender outputs)
    {
        var logger = _loggers.CreateLogger($"Function.{function.Name}");
        var pumpSettings = new QueuePumpSettings(_app.Manifest.Queues.MaxConcurrentCalls, _options.QueueLock, _app.Manifest.Queues.MaxLockRenewal, _options.QueueIdlePoll);
        return function.Trigger switch
        {
            QueueTrigger trigger => new QueuePump(function, trigger, queues, invoker, inputs, outputs, pumpSettings, _time, logger).RunAsync(_stopping.Token),
            TimerTrigger trigger => new TimerLoop(function, trigger, invoker, inputs, outputs, _time, logger).RunAsync(_stopping.Token),
            _ => Task.CompletedTask,
        };
    }

    // Whatever ends the host ends it here, so that it stops once and in order.
    private async Task WatchAsync(Task<string> handlerFailed)
    {
        _ = handlerFailed.ContinueWith(t => _stopAsked.TrySetResult(t.Result), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        _ = _engine?.Ended.ContinueWith(t => _stopAsked.TrySetResult($"The orchestration engine ended: {t.Exception!.GetBaseException().Message}"), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _ = _listeners.ContinueWith(t => _stopAsked.TrySetResult($"A listener failed: {t.Exception!.GetBaseException().Message}"), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _logger.LogInformation("The host stops: {Reason}", await _stopAsked.Task);
        await StopAsync();
    }

    private async Task StopAsync()
    {
        // The engine first: a call that is given up under a running engine would be a failure of its instance.
        if (_engine is not null)
        {
            await _engine.DisposeAsync();
        }

        _open.TrySetCanceled();
        await _stopping.CancelAsync();
        if (_listener is not null)
        {
            await _listener.StopAsync(CancellationToken.None);
            await _listener.DisposeAsync();
            _listener = null;
        }

        // A pump that failed has already been named as the reason; the others still have to end.
        await _listeners.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (_handlers is not null)
        {
            await _handlers.DisposeAsync();
        }

        _stopped.TrySetResult();
    }
}
