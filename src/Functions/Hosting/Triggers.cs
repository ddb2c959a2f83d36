namespace Baton.Functions.Hosting;

/// <summary>Which key the host asks of an HTTP caller before it calls the function.</summary>
public enum AuthorizationLevel
{
    /// <summary>None.</summary>
    Anonymous,

    /// <summary>A function key, or the master key.</summary>
    Function,

    /// <summary>The master key only.</summary>
    Admin,
}

/// <summary>On an <see cref="HttpRequest"/>: the function answers HTTP requests.</summary>
/// <param name="authLevel">The key asked for. The host checks it; the app never sees an unauthorised request.</param>
/// <param name="methods">The verbs, in any case; at least one.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class HttpTriggerAttribute(AuthorizationLevel authLevel, params string[] methods) : Attribute
{
    /// <summary>The key asked for.</summary>
    public AuthorizationLevel AuthLevel { get; } = authLevel;

    /// <summary>The verbs.</summary>
    public IReadOnlyList<string> Methods { get; } = methods;

    /// <summary>The path below <c>/api/</c>, with <c>{parameters}</c> that arrive in <see cref="HttpRequest.RouteValues"/>; always as text.</summary>
    public required string Route { get; init; }
}

/// <summary>
/// On a <see cref="ReadOnlyMemory{T}"/> of bytes: the function handles the messages of a Service Bus queue. Returning settles a message;
/// throwing gives it back at once, and the queue dead-letters it after its last delivery.
/// </summary>
/// <param name="queueName">The queue.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class ServiceBusTriggerAttribute(string queueName) : Attribute
{
    /// <summary>The queue.</summary>
    public string QueueName { get; } = queueName;

    /// <summary>The name of the setting that holds the connection.</summary>
    public required string Connection { get; init; }
}

/// <summary>On a <see cref="TimerInfo"/>: the function runs on a schedule.</summary>
/// <param name="schedule">Six-field NCRONTAB, or <c>%Setting%</c> to take it from a setting.</param>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class TimerTriggerAttribute(string schedule) : Attribute
{
    /// <summary>The schedule.</summary>
    public string Schedule { get; } = schedule;
}

/// <summary>On a <c>TaskOrchestrationContext</c>: the function is an orchestrator.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class OrchestrationTriggerAttribute : Attribute;

/// <summary>On the input of an activity, of any type that JSON can carry. A nullable one may be left out by the caller.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class ActivityTriggerAttribute : Attribute;
