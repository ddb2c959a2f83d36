using System.Text.RegularExpressions;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>A wrong <c>host.json</c> or <c>function.json</c>. The message names the file, what is wrong and what to do.</summary>
public sealed class InvalidFunctionAppException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>The app's settings, with this process's environment behind them, as in Azure.</summary>
internal sealed partial class AppSettings(IReadOnlyDictionary<string, string> settings)
{
    public string? Find(string name) => settings.TryGetValue(name, out var value) ? value : Environment.GetEnvironmentVariable(name);

    /// <summary>Expands <c>%NAME%</c>; unset names become empty, which is the rule for the handler's path and arguments.</summary>
    public string Expand(string text) => Reference().Replace(text, match => Find(match.Groups["name"].Value) ?? string.Empty);

    /// <summary>Expands <c>%NAME%</c> in a binding, where an unset name is an error.</summary>
    public string ExpandStrictly(string text, string where) => Reference().Replace(
        text,
        match => Find(match.Groups["name"].Value) ?? throw new InvalidFunctionAppException($"{where}: the setting '{match.Groups["name"].Value}' of \"{text}\" is not set. Set it in the app settings."));

    /// <summary>Whether a connection of this name is set, as one string or by identity (<c>NAME__fullyQualifiedNamespace</c>).</summary>
    public bool HasConnection(string name) => !string.IsNullOrEmpty(Find(name)) || !string.IsNullOrEmpty(Find($"{name}__fullyQualifiedNamespace"));

    [GeneratedRegex("%(?<name>[^%]+)%", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Reference();
}
