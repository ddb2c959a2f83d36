using System.Text.RegularExpressions;

namespace Baton.DevHost.Orchestrations;

/// <summary>How an engine works. The first three are host.json's <c>extensions.durableTask</c>.</summary>
public sealed partial record OrchestrationEngineOptions
{
    /// <summary>The task hub: 3 to 45 letters and digits, a letter first. Table and container are named after it.</summary>
    public required string HubName { get; init; }

    /// <summary>Activities that run at the same time.</summary>
    public int MaxConcurrentActivityFunctions { get; init; } = 10;

    /// <summary>Orchestrator turns that run at the same time.</summary>
    public int MaxConcurrentOrchestratorFunctions { get; init; } = 10;

    /// <summary>The version of instances that are started without one; null for none. host.json's <c>defaultVersion</c>.</summary>
    public string? DefaultVersion { get; init; }

    /// <summary>Activities that wait in memory for a runner. More wait in their histories: lower costs a reading of history now and then, higher costs memory.</summary>
    public int MaxQueuedActivities { get; init; } = 2_000;

    /// <summary>Events that wait for one instance. One more is refused: all of them are kept in memory.</summary>
    public int MaxWaitingEvents { get; init; } = 20_000;

    /// <summary>Unfinished instances, each of which costs memory. A start beyond them is refused.</summary>
    public int MaxLiveInstances { get; init; } = 10_000;

    /// <summary>History kept in memory over all instances; what is above is read again from the table when its instance moves.</summary>
    public long MaxCachedHistoryBytes { get; init; } = 128 * 1024 * 1024;

    /// <summary>History of one execution. One that grows beyond fails: the request of its next turn would come near the handler's 100 MB.</summary>
    public long MaxHistoryBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>How often in a row a turn may ask to be delivered again before the instance fails.</summary>
    public int MaxRedeliveries { get; init; } = 20;

    /// <summary>How often the lease on the hub is renewed; it lasts 15 seconds.</summary>
    public TimeSpan LeaseRenewal { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Says which setting is wrong.</summary>
    /// <exception cref="InvalidOperationException">One is.</exception>
    public void Validate()
    {
        Require(HubNames().IsMatch(HubName), $"{nameof(HubName)} '{HubName}' must be 3 to 45 letters and digits, a letter first.");
        Require(MaxConcurrentActivityFunctions > 0, $"{nameof(MaxConcurrentActivityFunctions)} must be at least 1.");
        Require(MaxConcurrentOrchestratorFunctions > 0, $"{nameof(MaxConcurrentOrchestratorFunctions)} must be at least 1.");
        Require(MaxQueuedActivities > 0, $"{nameof(MaxQueuedActivities)} must be at least 1.");
        Require(MaxWaitingEvents > 0, $"{nameof(MaxWaitingEvents)} must be at least 1.");
        Require(MaxLiveInstances > 0, $"{nameof(MaxLiveInstances)} must be at least 1.");
        Require(MaxCachedHistoryBytes >= 0, $"{nameof(MaxCachedHistoryBytes)} must not be negative.");
        Require(MaxHistoryBytes > 0, $"{nameof(MaxHistoryBytes)} must be at least 1.");
        Require(MaxRedeliveries >= 0, $"{nameof(MaxRedeliveries)} must not be negative.");
        Require(LeaseRenewal > TimeSpan.Zero && LeaseRenewal <= TimeSpan.FromSeconds(10), $"{nameof(LeaseRenewal)} must be above zero and at most 10 seconds: the lease lasts 15.");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]{2,44}$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex HubNames();
}
