using System.Collections.ObjectModel;
using Microsoft.Extensions.Logging;

namespace Baton.Durable;

/// <summary>
/// What orchestrator code may do. The code is replayed from its history at every turn, so it must be deterministic: time,
/// ids and waiting come from here, effects belong in activities, and nothing but the tasks given out here is awaited:
/// never with <c>ConfigureAwait(false)</c>, and never by blocking.
/// </summary>
public abstract class TaskOrchestrationContext
{
    /// <summary>The orchestration's name.</summary>
    public abstract TaskName Name { get; }

    /// <summary>The instance's id.</summary>
    public abstract string InstanceId { get; }

    /// <summary>The orchestration that called this one, or null when a client started it.</summary>
    public abstract ParentOrchestrationInstance? Parent { get; }

    /// <summary>The time (UTC) at which the present turn, or the replayed one, started.</summary>
    public abstract DateTime CurrentUtcDateTime { get; }

    /// <summary>Whether the code is repeating what it did in an earlier turn.</summary>
    public abstract bool IsReplaying { get; }

    /// <summary>The version this instance was started with; empty when none.</summary>
    public virtual string Version => string.Empty;

    /// <summary>Settings the host sends with each turn. They may differ from turn to turn, so no decision may hang on them.</summary>
    public virtual IReadOnlyDictionary<string, object?> Properties => ReadOnlyDictionary<string, object?>.Empty;

    /// <summary>Makes loggers that are silent while the code is replayed.</summary>
    public virtual ILoggerFactory ReplaySafeLoggerFactory => new ReplaySafeLoggerFactory(this, LoggerFactory);

    /// <summary>Makes the loggers behind <see cref="CreateReplaySafeLogger(string)"/>.</summary>
    protected abstract ILoggerFactory LoggerFactory { get; }

    /// <summary>The input, or the type's default when there is none.</summary>
    public abstract T? GetInput<T>();

    /// <summary>Runs an activity at least once.</summary>
    /// <exception cref="TaskFailedException">It failed, and the options' retries are used up.</exception>
    public virtual Task CallActivityAsync(TaskName name, object? input = null, TaskOptions? options = null)
        => CallActivityAsync<object?>(name, input, options);

    /// <summary>Runs an activity without an input, at least once.</summary>
    /// <exception cref="TaskFailedException">It failed, and the options' retries are used up.</exception>
    public virtual Task CallActivityAsync(TaskName name, TaskOptions options) => CallActivityAsync(name, input: null, options);

    /// <summary>Runs an activity without an input, at least once, and answers its result.</summary>
    /// <exception cref="TaskFailedException">It failed, and the options' retries are used up.</exception>
    public virtual Task<TResult> CallActivityAsync<TResult>(TaskName name, TaskOptions options)
        => CallActivityAsync<TResult>(name, input: null, options);

    /// <summary>Runs an activity at least once and answers its result.</summary>
    /// <exception cref="TaskFailedException">It failed, and the options' retries are used up.</exception>
    public abstract Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null);

    /// <summary>Runs another orchestration.</summary>
    /// <exception cref="TaskFailedException">It failed or was terminated, and the options' retries are used up.</exception>
    public virtual Task CallSubOrchestratorAsync(TaskName orchestratorName, object? input = null, TaskOptions? options = null)
        => CallSubOrchestratorAsync<object?>(orchestratorName, input, options);

    /// <summary>Runs another orchestration without an input.</summary>
    /// <exception cref="TaskFailedException">It failed or was terminated, and the options' retries are used up.</exception>
    public virtual Task CallSubOrchestratorAsync(TaskName orchestratorName, TaskOptions options)
        => CallSubOrchestratorAsync(orchestratorName, input: null, options);

    /// <summary>Runs another orchestration without an input and answers its result.</summary>
    /// <exception cref="TaskFailedException">It failed or was terminated, and the options' retries are used up.</exception>
    public virtual Task<TResult> CallSubOrchestratorAsync<TResult>(TaskName orchestratorName, TaskOptions options)
        => CallSubOrchestratorAsync<TResult>(orchestratorName, input: null, options);

    /// <summary>Runs another orchestration and answers its result.</summary>
    /// <exception cref="TaskFailedException">It failed or was terminated, and the options' retries are used up.</exception>
    public abstract Task<TResult> CallSubOrchestratorAsync<TResult>(TaskName orchestratorName, object? input = null, TaskOptions? options = null);

    /// <summary>A task that ends at <paramref name="fireAt"/>; at once when that is past.</summary>
    /// <param name="fireAt">When; a time of unspecified kind is taken as UTC.</param>
    /// <param name="cancellationToken">Ends the wait. An orchestration does not end while a timer is neither fired nor cancelled.</param>
    public abstract Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken);

    /// <summary>A task that ends <paramref name="delay"/> after <see cref="CurrentUtcDateTime"/>.</summary>
    /// <param name="delay">How long.</param>
    /// <param name="cancellationToken">Ends the wait. An orchestration does not end while a timer is neither fired nor cancelled.</param>
    public virtual Task CreateTimer(TimeSpan delay, CancellationToken cancellationToken)
        => CreateTimer(CurrentUtcDateTime + delay, cancellationToken);

    /// <summary>
    /// The payload of the next event of this name that nobody has taken. Several waiters are served in the order of their
    /// calls (the platform's own .NET worker serves the newest first).
    /// </summary>
    /// <param name="eventName">The event's name; case does not matter.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public abstract Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default);

    /// <summary>As the other overload, but cancelled after <paramref name="timeout"/>.</summary>
    /// <exception cref="TaskCanceledException">No event came in time.</exception>
    public Task<T> WaitForExternalEvent<T>(string eventName, TimeSpan timeout)
        => WaitForExternalEvent<T>(eventName, timeout, CancellationToken.None);

    /// <summary>As the other overload, but cancelled after <paramref name="timeout"/>.</summary>
    /// <param name="eventName">The event's name; case does not matter.</param>
    /// <param name="timeout">How long to wait, in orchestration time.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="TaskCanceledException">No event came in time, or the wait was ended.</exception>
    public async Task<T> WaitForExternalEvent<T>(string eventName, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var timerEnd = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var waitEnd = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task timer = CreateTimer(timeout, timerEnd.Token);
        Task<T> wait = WaitForExternalEvent<T>(eventName, waitEnd.Token);

        // ConfigureAwait(true), here as everywhere in orchestrator code: a continuation elsewhere would leave the turn.
        Task first = await Task.WhenAny(timer, wait).ConfigureAwait(true);
        CancellationTokenSource loser = first == wait ? timerEnd : waitEnd;
#pragma warning disable CA1849, MA0042 // CancelAsync would run the callbacks outside the turn.
        loser.Cancel();
#pragma warning restore CA1849, MA0042
        return await wait.ConfigureAwait(true);
    }

    /// <summary>Sends an event to another instance, without waiting for it.</summary>
    public abstract void SendEvent(string instanceId, string eventName, object payload);

    /// <summary>Shows <paramref name="customStatus"/> to whoever asks for the instance's status; null clears it.</summary>
    /// <exception cref="ArgumentException">It is longer than 8192 characters as JSON.</exception>
    public abstract void SetCustomStatus(object? customStatus);

    /// <summary>
    /// Ends this execution, once the code has returned and its tasks have ended, and starts the orchestration afresh with a
    /// new input and an empty history.
    /// </summary>
    /// <param name="newInput">The next execution's input.</param>
    /// <param name="preserveUnprocessedEvents">Whether events that nobody has taken go to the next execution.</param>
    public abstract void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true);

    /// <summary>As the other overload, with a new version if wanted.</summary>
    public virtual void ContinueAsNew(ContinueAsNewOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ContinueAsNew(options.NewInput, options.PreserveUnprocessedEvents);
    }

    /// <summary>A new id, the same in every replay.</summary>
    public abstract Guid NewGuid();

    /// <summary>A logger that is silent while the code is replayed, so that each line is written once.</summary>
    public ILogger CreateReplaySafeLogger(string categoryName)
        => new ReplaySafeLogger(this, LoggerFactory.CreateLogger(categoryName));

    /// <summary>A logger named after <paramref name="type"/> that is silent while the code is replayed.</summary>
    public virtual ILogger CreateReplaySafeLogger(Type type)
        => new ReplaySafeLogger(this, LoggerFactory.CreateLogger(type));

    /// <summary>A logger named after <typeparamref name="T"/> that is silent while the code is replayed.</summary>
    public virtual ILogger CreateReplaySafeLogger<T>()
        => new ReplaySafeLogger(this, LoggerFactory.CreateLogger<T>());

    /// <summary>
    /// How this instance's version stands to <paramref name="version"/>, so that code can keep old instances on their old way: no
    /// version is before any; two that read as numbers are compared as such, all others as text.
    /// </summary>
    /// <returns>Below zero when this instance's is earlier, zero when equal, above when later.</returns>
    public virtual int CompareVersionTo(string version) => TaskVersion.Compare(Version, version);
}
