namespace Baton.Durable;

/// <summary>Which instances are listed.</summary>
/// <param name="CreatedFrom">Not those started before.</param>
/// <param name="CreatedTo">Not those started after.</param>
/// <param name="Statuses">Only those that stand so; all when null or empty.</param>
/// <param name="TaskHubNames">Must be empty: a client lists its own task hub.</param>
/// <param name="InstanceIdPrefix">Only those whose id begins so.</param>
/// <param name="PageSize">Instances fetched at a time; at least 1.</param>
/// <param name="FetchInputsAndOutputs">Whether input, output and custom status are wanted too.</param>
/// <param name="ContinuationToken">Where an earlier listing stopped.</param>
public record OrchestrationQuery(
    DateTimeOffset? CreatedFrom = null,
    DateTimeOffset? CreatedTo = null,
    IEnumerable<OrchestrationRuntimeStatus>? Statuses = null,
    IEnumerable<string>? TaskHubNames = null,
    string? InstanceIdPrefix = null,
    int PageSize = OrchestrationQuery.DefaultPageSize,
    bool FetchInputsAndOutputs = false,
    string? ContinuationToken = null)
{
    /// <summary>Instances fetched at a time unless said otherwise.</summary>
    public const int DefaultPageSize = 100;
}

/// <summary>Which instances are purged.</summary>
/// <param name="CreatedFrom">Not those started before.</param>
/// <param name="CreatedTo">Not those started after.</param>
/// <param name="Statuses">Only those that stand so; all that have ended when null or empty.</param>
public record PurgeInstancesFilter(
    DateTimeOffset? CreatedFrom = null,
    DateTimeOffset? CreatedTo = null,
    IEnumerable<OrchestrationRuntimeStatus>? Statuses = null);
