using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Baton.DevHost.FunctionsHost.Apps;

internal enum BindingDirection
{
    In,
    Out,
}

/// <summary>One entry of <c>bindings</c>, not yet understood.</summary>
internal sealed partial record Binding(string Name, string Type, BindingDirection Direction, string File, IReadOnlyDictionary<string, JsonNode?> Settings)
{
    public static Binding From(JsonObject json, string file)
    {
        var settings = json.ToDictionary(p => p.Key, p => p.Value, StringComparer.OrdinalIgnoreCase);
        var name = Text(settings, "name", file) ?? throw new InvalidFunctionAppException($"{file}: a binding has no name.");
        if (!BindingName().IsMatch(name))
        {
            throw new InvalidFunctionAppException($"{file}: '{name}' is no binding name for this host: a letter, then letters and digits ($return is not played).");
        }

        var type = Text(settings, "type", file) ?? throw new InvalidFunctionAppException($"{file}: the binding '{name}' has no type.");
        var direction = Text(settings, "direction", file) ?? "in";
        return Enum.TryParse<BindingDirection>(direction, ignoreCase: true, out var parsed) && Enum.IsDefined(parsed)
            ? new Binding(name, type, parsed, file, settings)
            : throw new InvalidFunctionAppException($"{file}: the binding '{name}' has the direction '{direction}'; it must be 'in' or 'out'.");
    }

    public string Where => $"{File}: binding '{Name}'";

    public bool Is(string type, BindingDirection direction) => Direction == direction && string.Equals(Type, type, StringComparison.OrdinalIgnoreCase);

    public string? Text(string setting) => Text(Settings, setting, File);

    public bool? Flag(string setting) => Settings.GetValueOrDefault(setting) switch
    {
        null => null,
        JsonValue value when value.TryGetValue<bool>(out var flag) => flag,
        _ => throw new InvalidFunctionAppException($"{Where}: {setting} must be true or false."),
    };

    /// <summary>The declared data type is binary: bytes travel as base64 and text is left alone.</summary>
    public bool Binary => string.Equals(Text("dataType"), "binary", StringComparison.OrdinalIgnoreCase);

    private static string? Text(Dictionary<string, JsonNode?> settings, string setting, string file) => Text((IReadOnlyDictionary<string, JsonNode?>)settings, setting, file);

    private static string? Text(IReadOnlyDictionary<string, JsonNode?> settings, string setting, string file) => settings.GetValueOrDefault(setting) switch
    {
        null => null,
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>(),
        _ => throw new InvalidFunctionAppException($"{file}: {setting} must be a string."),
    };

    [GeneratedRegex("^[a-zA-Z][a-zA-Z0-9_]{0,127}$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex BindingName();
}
