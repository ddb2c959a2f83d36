using System.Text.RegularExpressions;

namespace Baton.Functions.Hosting;

/// <summary>
/// Routes of HTTP functions: literal segments and whole-segment <c>{parameters}</c>. The host and the app both match them, so what the two
/// could read differently (constraints, defaults, optional and catch-all parameters) is left out.
/// </summary>
internal static partial class HttpRoute
{
    /// <summary>Whether <paramref name="route"/> is such a route.</summary>
    public static bool IsValid(string route) => RoutePattern().IsMatch(route) && !HasRepeatedParameter(route);

    /// <summary><paramref name="route"/> without its parameters' names: two routes of one shape match the same paths.</summary>
    public static string Shape(string route) => ParameterPattern().Replace(route, "{}");

    /// <summary>The path that matched <paramref name="route"/> with these parameters, unescaped.</summary>
    public static PathString Path(string route, RouteValueDictionary values) =>
        new($"/{FunctionCatalog.RoutePrefix}/{ParameterPattern().Replace(route, parameter => values[parameter.Groups["name"].Value] as string ?? string.Empty)}");

    private static bool HasRepeatedParameter(string route)
    {
        var names = ParameterPattern().Matches(route).Select(parameter => parameter.Groups["name"].Value).ToList();
        return names.Distinct(StringComparer.OrdinalIgnoreCase).Count() != names.Count;
    }

    [GeneratedRegex(@"^(?:[A-Za-z0-9._-]+|\{[A-Za-z][A-Za-z0-9]*\})(?:/(?:[A-Za-z0-9._-]+|\{[A-Za-z][A-Za-z0-9]*\}))*\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex RoutePattern();

    [GeneratedRegex(@"\{(?<name>[A-Za-z0-9]+)\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ParameterPattern();
}
