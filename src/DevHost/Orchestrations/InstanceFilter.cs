using Baton.Storage.Tables;

namespace Baton.DevHost.Orchestrations;

/// <summary>Which instances are meant; what is null does not matter.</summary>
/// <param name="IdPrefix">How their ids begin.</param>
/// <param name="CreatedFrom">Started then or later.</param>
/// <param name="CreatedTo">Started then or earlier.</param>
/// <param name="Statuses">One of these runtime statuses.</param>
public sealed record InstanceFilter(string? IdPrefix = null, DateTimeOffset? CreatedFrom = null, DateTimeOffset? CreatedTo = null, IReadOnlyList<string>? Statuses = null)
{
    internal string? ToOData()
    {
        var parts = new List<string>();
        if (!string.IsNullOrEmpty(IdPrefix))
        {
            var after = IdPrefix[..^1] + (char)(IdPrefix[^1] + 1);
            parts.Add(TableClient.CreateQueryFilter($"PartitionKey ge {IdPrefix} and PartitionKey lt {after}"));
        }

        if (CreatedFrom is { } from)
        {
            parts.Add(TableClient.CreateQueryFilter($"CreatedAt ge {from}"));
        }

        if (CreatedTo is { } to)
        {
            parts.Add(TableClient.CreateQueryFilter($"CreatedAt le {to}"));
        }

        if (Statuses is { Count: > 0 })
        {
            parts.Add($"({string.Join(" or ", Statuses.Select(status => TableClient.CreateQueryFilter($"Status eq {status}")))})");
        }

        return parts.Count == 0 ? null : string.Join(" and ", parts);
    }
}
