using System.Threading.Channels;
using Azure.Storage.Blobs;
using Baton.Storage.Tables;

namespace Baton.DevHost.Orchestrations;

/// <summary>Runs the orchestrations of one task hub, in the place of the Durable extension's engine. State is in a table; everything else can be lost.</summary>
/// <remarks>
/// Work is handed on in memory, so that a result moves its orchestration at once; after a restart it is found again in the
/// histories (<see cref="HubStore"/> says what is safe at each step). Activities run at least once, their results are applied
/// exactly once. The newest engine of a hub is its owner; the one before stops.
/// </remarks>
public sealed class OrchestrationEngine : IAsyncDisposable
{
    private readonly BlobServiceClient _blobs;
    private readonly OrchestrationEngineOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly StorageRetry _retry;
    private readonly HubStore _store;
    private readonly InstanceDirectory _directory;
    private readonly ActivityPump _activities;
    private readonly DetachedActivities _detached;
    private readonly TimerQueue _timers;
    private readonly TurnPump _turns;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HubLease? _lease;
    private Task _loops = Task.CompletedTask;

    /// <summary>An engine that does nothing yet.</summary>
    /// <param name="tables">Where the state is.</param>
    /// <param name="blobs">Where the lease is.</param>
    /// <param name="options">The hub and the bounds.</param>
    /// <param name="invoker">The app.</param>
    /// <param name="time">For timers and stamps.</param>
    /// <param name="loggers">For the log.</param>
    /// <exception cref="InvalidOperationException">An option is wrong; the message names it.</exception>
    public OrchestrationEngine(
        TableServiceClient tables,
        BlobServiceClient blobs,
        OrchestrationEngineOptions options,
        IOrchestrationInvoker invoker,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(tables);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_blobs, _options, _time) = (blobs, options, time);
        _log = loggers.CreateLogger<OrchestrationEngine>();
        var ready = Channel.CreateUnbounded<LiveInstance>();
        var cache = new HistoryCache(options.MaxCachedHistoryBytes);
        Func<CancellationToken, Task> assertOwner = token => _lease?.RenewAsync(token) ?? Task.CompletedTask;
        _retry = new StorageRetry(time, assertOwner, _log);
        _store = new HubStore(tables.GetTableClient($"{options.HubName}Instances"), owner: Guid.NewGuid().ToString("N"));
        _directory = new InstanceDirectory(_store, ready.Writer, cache, assertOwner, time, _log);
        var activities = new ActivityQueue(options.MaxQueuedActivities);
        _activities = new ActivityPump(invoker, activities, time, _log);
        _detached = new DetachedActivities(_store, _directory, activities, _retry, _log);
        _timers = new TimerQueue(time);
        var commit = new TurnCommit(_store, cache, activities);
        var settlement = new Settlement(_store, _directory, activities, _detached, new SubOrchestrations(_store, _directory, _retry, time), _timers, _retry, time, _log);
        _turns = new TurnPump(_store, _directory, commit, settlement, _timers, ready.Reader, invoker, options, _retry, time, _log);
        Instances = new InstanceOperations(_store, _directory, invoker, options, time, () => IsRunning, assertOwner, _stop.Token);
    }

    /// <summary>The task hub.</summary>
    public string HubName => _options.HubName;

    /// <summary>What clients can do with instances. Refused with 503 while the engine does not run.</summary>
    public InstanceOperations Instances { get; }

    /// <summary>Completes when the engine has stopped; with the reason, if nobody asked it to.</summary>
    public Task Ended => _ended.Task;

    private bool IsRunning => _lease is not null && !_stop.IsCancellationRequested;

    /// <summary>Takes the hub and goes on with its unfinished instances.</summary>
    /// <exception cref="InvalidOperationException">Another engine took the hub in the same moment.</exception>
    public async Task StartAsync(CancellationToken ct)
    {
        await _store.PrepareAsync(ct);
        var lease = await HubLease.TakeAsync(_blobs, HubName, _time, ct);
        foreach (var group in await _directory.LoadOpenAsync(ct))
        {
            _detached.Add(group);
        }

        _lease = lease;
        _log.LogInformation("Hub {Hub}: {Count} unfinished instances are taken up.", HubName, _directory.LiveCount);
        _loops = Task.WhenAll(
        [
            WatchedAsync(token => lease.KeepAsync(_options.LeaseRenewal, _log, token)),
            WatchedAsync(_timers.RunAsync),
            WatchedAsync(TakeUpStragglersAsync),
            WatchedAsync(_detached.DispatchAsync),
            WatchedAsync(_detached.EndAsync),
            .. Enumerable.Range(0, _options.MaxConcurrentOrchestratorFunctions).Select(_ => WatchedAsync(_turns.RunAsync)),
            .. Enumerable.Range(0, _options.MaxConcurrentActivityFunctions).Select(_ => WatchedAsync(_activities.RunAsync)),
        ]);
    }

    /// <summary>Stops at once: calls in progress are cancelled, and what they would have answered is done again by the next engine.</summary>
    public async Task StopAsync(CancellationToken ct)
    {
        await _stop.CancelAsync();
        await _loops.WaitAsync(ct);
        if (_ended.TrySetResult() && _lease is { } lease)
        {
            try
            {
                await lease.ReleaseAsync(ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
            {
                _log.LogInformation(e, "The lease on hub {Hub} was not released; the next engine breaks it.", HubName);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stop.Dispose();
    }

    private async Task TakeUpStragglersAsync(CancellationToken ct)
    {
        // By then the engine before has asked for its lease in vain.
        await Task.Delay(HubLease.Duration, _time, ct);
        await _retry.UntilDoneAsync(
            "Looking for instances that the engine before has begun since",
            async token =>
            {
                foreach (var group in await _directory.LoadStragglersAsync(token))
                {
                    _detached.Add(group);
                }
            },
            ct);
    }

    private async Task WatchedAsync(Func<CancellationToken, Task> loop)
    {
        try
        {
            await Task.Run(() => loop(_stop.Token), CancellationToken.None);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop.
        }
#pragma warning disable CA1031 // Whatever ends a loop ends the engine, and its owner hears of it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.LogCritical(e, "The engine of hub {Hub} stops.", HubName);
            _ended.TrySetException(e);
            await _stop.CancelAsync();
        }
    }
}
