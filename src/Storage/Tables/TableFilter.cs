using System.Globalization;

namespace Baton.Storage.Tables;

/// <summary>Values as literals of the Table service's filter language.</summary>
internal static class TableFilter
{
    /// <summary>The filter that <paramref name="filter"/> says, each value as a literal of its type.</summary>
    public static string Create(FormattableString filter)
    {
        var arguments = Array.ConvertAll(filter.GetArguments(), argument => (object)Literal(argument));
        return string.Format(CultureInfo.InvariantCulture, filter.Format, arguments);
    }

    private static string Literal(object? value) => value switch
    {
        string text => $"'{Quoted(text)}'",
        bool truth => truth ? "true" : "false",
        int number => number.ToString(CultureInfo.InvariantCulture),
        long number => string.Create(CultureInfo.InvariantCulture, $"{number}L"),
        double number => number.ToString("R", CultureInfo.InvariantCulture) is var text && text.AsSpan().ContainsAny('.', 'E') ? text : text + ".0",
        DateTimeOffset instant => $"datetime'{EntityJson.Instant(instant)}'",
        Guid guid => $"guid'{guid:D}'",
        byte[] bytes => $"X'{Convert.ToHexString(bytes)}'",
        _ => throw new NotSupportedException($"No filter can compare with a {value?.GetType().Name ?? "null"}."),
    };

    /// <summary><paramref name="text"/> as it stands between single quotes.</summary>
    public static string Quoted(string text) => text.Replace("'", "''", StringComparison.Ordinal);
}
