using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Baton.DevHost.FunctionsHost.Invocations;

/// <summary>
/// The real host parses answers with a library that takes strings which look like ISO dates, or like <c>/Date(0)/</c>, for dates, and numbers with a fraction for doubles, and writes
/// them anew. An app whose values do not survive that must be seen to fail here as well.
/// </summary>
internal static partial class DateTrap
{
    public static JsonNode? Apply(JsonNode? node) => node switch
    {
        JsonObject value => new JsonObject(value.Select(p => KeyValuePair.Create(p.Key, Apply(p.Value)))),
        JsonArray value => new JsonArray([.. value.Select(Apply)]),
        JsonValue value => Scalar(value),
        _ => null,
    };

    private static JsonNode Scalar(JsonValue value) => value.GetValueKind() switch
    {
        JsonValueKind.String => JsonValue.Create(Text(value.GetValue<string>())),
        JsonValueKind.Number => Number(value),
        _ => value.DeepClone(),
    };

    private static string Text(string text) => Date(text) is { } date ? date.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture) : text;

    private static DateTime? Date(string text)
    {
        if (MillisecondDate().Match(text) is { Success: true } match)
        {
            // With an offset it becomes a local time; the real host's machines are on UTC.
            return long.TryParse(match.Groups["ms"].ValueSpan, CultureInfo.InvariantCulture, out var ms) && ms >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds() && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
                ? DateTime.SpecifyKind(DateTimeOffset.FromUnixTimeMilliseconds(ms).UtcDateTime, match.Groups["offset"].Success ? DateTimeKind.Local : DateTimeKind.Utc)
                : null;
        }

        return IsoDate().IsMatch(text) && DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var date) ? date : null;
    }

    private static JsonNode Number(JsonValue value)
    {
        var text = value.ToJsonString();
        if (!text.AsSpan().ContainsAny('.', 'e', 'E'))
        {
            return value.DeepClone();
        }

        var number = double.Parse(text, CultureInfo.InvariantCulture);
        var written = number.ToString("R", CultureInfo.InvariantCulture);
        return double.IsFinite(number)
            ? JsonNode.Parse(written.AsSpan().ContainsAny('.', 'E') ? written : written + ".0")!
            : throw new InvalidDataException($"The answer holds the number {text}, which is no double.");
    }

    [GeneratedRegex(@"^/Date\((?<ms>-?\d+)(?<offset>[+-]\d{2}(\d{2})?)?\)/$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MillisecondDate();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex IsoDate();
}
