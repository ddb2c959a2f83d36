using System.Runtime.CompilerServices;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;

namespace Baton.Durable.Replay;

/// <summary>The context of one turn: turns calls into actions of the ledger and outcomes into typed results.</summary>
internal sealed class ReplayContext(
    TurnThread thread,
    ExecutionStartedEvent started,
    string instanceId,
    IReadOnlyDictionary<string, object?> properties,
    ActionLedger ledger,
    ExternalEvents events,
    ReplayClock clock,
    ILoggerFactory loggerFactory) : TaskOrchestrationContext
{
    // 16 KiB of UTF-16. The host ends an instance for good that sends more.
    private const int MaxCustomStatusLength = 8192;

    // The longest timer that every storage provider of the extension takes.
    private static readonly TimeSpan MaxTimer = TimeSpan.FromDays(3);

    private static readonly Dictionary<string, string> NoTags = new(StringComparer.Ordinal);

    private int _guids;

    public override TaskName Name => new(started.Name);

    public override string InstanceId => instanceId;

    public override ParentOrchestrationInstance? Parent { get; } = started.ParentInstance is { } parent
        ? new ParentOrchestrationInstance(new TaskName(parent.Name ?? string.Empty), parent.OrchestrationInstance?.InstanceId ?? string.Empty)
        : null;

    public override DateTime CurrentUtcDateTime => clock.UtcNow;

    public override bool IsReplaying => clock.IsReplaying;

    public override string Version => started.Version ?? string.Empty;

    public override IReadOnlyDictionary<string, object?> Properties => properties;

    /// <summary>The last custom status, as JSON text.</summary>
    public string? CustomStatus { get; private set; }

    /// <summary>What the code asked for by <see cref="ContinueAsNew(ContinueAsNewOptions)"/>, or null.</summary>
    public NextExecution? Next { get; private set; }

    protected override ILoggerFactory LoggerFactory => loggerFactory;

    public override T? GetInput<T>()
        where T : default
        => DurableJson.Read<T>(started.Input);

    public override Task<TResult> CallActivityAsync<TResult>(TaskName name, object? input = null, TaskOptions? options = null)
    {
        thread.Verify(nameof(CallActivityAsync));
        ArgumentException.ThrowIfNullOrWhiteSpace(name.Name, nameof(name));
        RefuseOptionsAsInput(input, options);
        string? json = DurableJson.Write(input);
        return RetryLoop.RunAsync(options?.Retry, this, async () =>
        {
            var schedule = new ScheduleTaskAction { Name = name.Name, Input = json, Version = Given(options?.Version is { } asked ? asked.Version : Version) };
            schedule.Tags.Add(options?.Tags ?? NoTags);
            var action = new OrchestratorAction { ScheduleTask = schedule };
            string? answer = await ledger.AddAwaited(action).ConfigureAwait(true);
            return ActivityEnvelope.Unwrap<TResult>(name.Name, action.Id, answer);
        });
    }

    public override Task<TResult> CallSubOrchestratorAsync<TResult>(TaskName orchestratorName, object? input = null, TaskOptions? options = null)
    {
        thread.Verify(nameof(CallSubOrchestratorAsync));
        ArgumentException.ThrowIfNullOrWhiteSpace(orchestratorName.Name, nameof(orchestratorName));
        RefuseOptionsAsInput(input, options);
        string? json = DurableJson.Write(input);
        string childId = (options as SubOrchestrationOptions)?.InstanceId is { } given ? InstanceIds.Check(given) : NewGuid().ToString("N");
        return RetryLoop.RunAsync(options?.Retry, this, async () =>
        {
            var create = new CreateSubOrchestrationAction
            {
                Name = orchestratorName.Name,
                Input = json,
                InstanceId = childId,
                Version = Given(options?.Version is { } asked ? asked.Version : DefaultVersion),
            };
            create.Tags.Add(options?.Tags ?? NoTags);
            string? result = await ledger.AddAwaited(new OrchestratorAction { CreateSubOrchestration = create }).ConfigureAwait(true);
            return DurableJson.Read<TResult>(result)!;
        });
    }

    public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken)
    {
        thread.Verify(nameof(CreateTimer));
        DateTime fireAtUtc = fireAt.Kind is DateTimeKind.Local ? fireAt.ToUniversalTime() : DateTime.SpecifyKind(fireAt, DateTimeKind.Utc);
        return TimerAsync(fireAtUtc, cancellationToken);
    }

    public override Task<T> WaitForExternalEvent<T>(string eventName, CancellationToken cancellationToken = default)
    {
        thread.Verify(nameof(WaitForExternalEvent));
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        return cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<T>(cancellationToken)
            : EventAsync<T>(eventName, cancellationToken);
    }

    public override void SendEvent(string instanceId, string eventName, object payload)
    {
        thread.Verify(nameof(SendEvent));
        ArgumentException.ThrowIfNullOrWhiteSpace(instanceId);
        ArgumentException.ThrowIfNullOrWhiteSpace(eventName);
        ledger.Add(new OrchestratorAction
        {
            SendEvent = new SendEventAction
            {
                Instance = new OrchestrationInstance { InstanceId = instanceId },
                Name = eventName,
                Data = DurableJson.Write(payload),
            },
        });
    }

    public override void ContinueAsNew(object? newInput = null, bool preserveUnprocessedEvents = true)
        => ContinueAsNew(new ContinueAsNewOptions { NewInput = newInput, PreserveUnprocessedEvents = preserveUnprocessedEvents });

    public override void ContinueAsNew(ContinueAsNewOptions options)
    {
        thread.Verify(nameof(ContinueAsNew));
        ArgumentNullException.ThrowIfNull(options);
        Next = new NextExecution(DurableJson.Write(options.NewInput), options.PreserveUnprocessedEvents, Given(options.NewVersion));
    }

    public override void SetCustomStatus(object? customStatus)
    {
        thread.Verify(nameof(SetCustomStatus));
        string? json = DurableJson.Write(customStatus);
        CustomStatus = json is not { Length: > MaxCustomStatusLength }
            ? json
            : throw new ArgumentException($"A custom status may have {MaxCustomStatusLength} characters as JSON; this one has {json.Length}.", nameof(customStatus));
    }

    public override Guid NewGuid()
    {
        thread.Verify(nameof(NewGuid));
        return ReplayGuid.Create(instanceId, clock.UtcNow, _guids++);
    }

    private string? DefaultVersion => properties.TryGetValue("defaultVersion", out object? version) ? version as string : null;

    private static string? Given(string? version) => string.IsNullOrWhiteSpace(version) ? null : version;

    private static void RefuseOptionsAsInput(object? input, TaskOptions? options, [CallerArgumentExpression(nameof(input))] string? parameter = null)
    {
        if (input is TaskOptions && options is null)
        {
            throw new ArgumentException("Options were given where the input belongs, and no options. An overload without an input takes them, or the third parameter.", parameter);
        }
    }

    private async Task TimerAsync(DateTime fireAtUtc, CancellationToken cancellationToken)
    {
        bool isLast;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            isLast = fireAtUtc - clock.UtcNow <= MaxTimer;
            var action = new OrchestratorAction
            {
                CreateTimer = new CreateTimerAction { FireAt = Timestamp.FromDateTime(isLast ? fireAtUtc : clock.UtcNow + MaxTimer) },
            };
            Task fired = ledger.AddAwaited(action);
            using CancellationTokenRegistration registration = OnCancelled(() => ledger.Abandon(action.Id, cancellationToken), cancellationToken);
            await fired.ConfigureAwait(true);
        }
        while (!isLast);
    }

    private async Task<T> EventAsync<T>(string eventName, CancellationToken cancellationToken)
    {
        ExternalEvents.Waiter waiter = events.Claim(eventName);
        using CancellationTokenRegistration registration = OnCancelled(() => events.Abandon(waiter, cancellationToken), cancellationToken);
        return DurableJson.Read<T>(await waiter.Payload.Task.ConfigureAwait(true))!;
    }

    private CancellationTokenRegistration OnCancelled(Action abandon, CancellationToken cancellationToken) => cancellationToken.UnsafeRegister(
        _ =>
        {
            if (thread.CheckAccess("a cancellation"))
            {
                abandon();
            }
        },
        state: null);
}

/// <summary>The time of the turn that is run or replayed.</summary>
internal sealed class ReplayClock
{
    /// <summary>When it started (UTC).</summary>
    public DateTime UtcNow { get; set; } = DateTime.SpecifyKind(default, DateTimeKind.Utc);

    /// <summary>Whether it is over and being repeated.</summary>
    public bool IsReplaying { get; set; }
}

/// <summary>What the next execution of a continued orchestration starts with.</summary>
/// <param name="Input">JSON text.</param>
/// <param name="KeepsEvents">Whether events nobody has taken go with it.</param>
/// <param name="Version">Its version; null for the present one's.</param>
internal sealed record NextExecution(string? Input, bool KeepsEvents, string? Version);
