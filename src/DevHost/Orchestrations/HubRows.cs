using System.Globalization;

namespace Baton.DevHost.Orchestrations;

/// <summary>Row keys of a hub's table. The partition is the instance id.</summary>
/// <remarks>
/// <c>i</c> the instance; <c>h-{execution}-{page}</c> a page of history; <c>m-…</c> a message that history has not taken yet;
/// <c>v-{execution}-{random}</c> a value too large for the instance row, or a list of activities left to run. What belongs to an execution carries its id, so that no
/// execution can take another's rows for its own.
/// </remarks>
internal static class HubRows
{
    public const string MessagePrefix = "m-";

    private const string PagePrefix = "h-";
    private const string ValuePrefix = "v-";

    public static string Page(string executionId, int page) => string.Create(CultureInfo.InvariantCulture, $"{PagePrefix}{executionId}-{page:D6}");

    public static string Value(string executionId) => $"{ValuePrefix}{executionId}-{Guid.NewGuid():N}";

    /// <summary>A message from outside.</summary>
    public static string Message(long sequence) => string.Create(CultureInfo.InvariantCulture, $"{MessagePrefix}{sequence:D19}");

    /// <summary>A message from an orchestration: the same again has the same key.</summary>
    public static string Message(string senderExecutionId, int eventId) => string.Create(CultureInfo.InvariantCulture, $"{MessagePrefix}s-{senderExecutionId}-{eventId}");

    public static bool IsFromOrchestration(string rowKey) => rowKey.StartsWith($"{MessagePrefix}s-", StringComparison.Ordinal);

    public static bool IsMessage(string rowKey) => rowKey.StartsWith(MessagePrefix, StringComparison.Ordinal);

    /// <summary>Whether a row holds what no committed state names: left behind by a crash, or by an execution that is over.</summary>
    public static bool IsLeftOver(string rowKey, InstanceRecord record)
    {
        if (rowKey.StartsWith(PagePrefix, StringComparison.Ordinal))
        {
            var current = $"{PagePrefix}{record.ExecutionId}-";
            return !rowKey.StartsWith(current, StringComparison.Ordinal) || int.Parse(rowKey.AsSpan(current.Length), CultureInfo.InvariantCulture) >= record.Pages;
        }

        return rowKey.StartsWith(ValuePrefix, StringComparison.Ordinal) && !record.ValueRows.Contains(rowKey, StringComparer.Ordinal);
    }
}
