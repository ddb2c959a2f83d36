namespace Baton.DevHost.FunctionsHost;

/// <summary>The host's keys. Function and admin level calls carry one in the header <c>x-functions-key</c> or the query <c>code</c>.</summary>
/// <param name="Function">Opens functions of level <c>function</c>.</param>
/// <param name="Master">Opens everything.</param>
/// <param name="System">Opens the Durable management API.</param>
public sealed record HostKeys(string Function, string Master, string System)
{
    /// <summary>Says nothing: keys never reach a log.</summary>
    public override string ToString() => nameof(HostKeys);
}

/// <summary>How to run a function app on this machine.</summary>
public sealed record FunctionsHostOptions
{
    /// <summary>The published app: <c>host.json</c> and one folder with a <c>function.json</c> for each function.</summary>
    public required string AppRoot { get; init; }

    /// <summary>The port on 127.0.0.1; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The storage account that plays Service Bus (queues of the same names) and holds the task hub.</summary>
    public required string StorageConnectionString { get; init; }

    /// <summary>The Durable task hub.</summary>
    public required string HubName { get; init; }

    /// <summary>App settings: environment of the handler and values of <c>%NAME%</c>, before this process's own environment.</summary>
    public IReadOnlyDictionary<string, string> AppSettings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The keys that open the functions.</summary>
    public required HostKeys Keys { get; init; }

    /// <summary>Where to crash; null in normal life.</summary>
    public CrashPoint? CrashAt { get; init; }

    /// <summary>
    /// How long a received message stays hidden without renewal; renewed at a third of it. Longer: a message waits longer after its host was killed.
    /// Shorter: a host that stalls this long sees a message delivered twice. Whole seconds.
    /// </summary>
    public TimeSpan QueueLock { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The pause of a queue pump after it found nothing. Bounds the latency of messages that another process sends; the host's own wake the pump at once.</summary>
    public TimeSpan QueueIdlePoll { get; init; } = TimeSpan.FromMilliseconds(250);
}
