using System.Globalization;

namespace Baton.Durable;

/// <summary>Filters as query strings of the management API.</summary>
internal static class InstanceFilterQuery
{
    public static string Of(OrchestrationQuery filter) => Join(
        Pair("instanceIdPrefix", filter.InstanceIdPrefix),
        Pair("createdTimeFrom", Time(filter.CreatedFrom)),
        Pair("createdTimeTo", Time(filter.CreatedTo)),
        Pair("runtimeStatus", Statuses(filter.Statuses)),
        Pair("showInput", filter.FetchInputsAndOutputs ? "true" : "false"),
        Pair("top", filter.PageSize.ToString(CultureInfo.InvariantCulture)));

    // The API wants a beginning; no instance is older than this one.
    public static string Of(PurgeInstancesFilter filter) => Join(
        Pair("createdTimeFrom", Time(filter.CreatedFrom ?? DateTimeOffset.UnixEpoch)),
        Pair("createdTimeTo", Time(filter.CreatedTo)),
        Pair("runtimeStatus", Statuses(filter.Statuses)));

    private static string Join(params string?[] pairs) => string.Join('&', pairs.OfType<string>());

    private static string? Pair(string name, string? value) => string.IsNullOrEmpty(value) ? null : $"{name}={Uri.EscapeDataString(value)}";

    private static string? Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("o", CultureInfo.InvariantCulture);

    private static string? Statuses(IEnumerable<OrchestrationRuntimeStatus>? statuses) => statuses is null ? null : string.Join(',', statuses);
}
