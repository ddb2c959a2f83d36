using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>A function app as it stands in its folder.</summary>
internal sealed record FunctionApp(string Root, HostManifest Manifest, IReadOnlyList<FunctionDefinition> Functions);

/// <summary>Reads and checks an app's folder. Everything wrong is an error at the start: nothing is skipped silently.</summary>
internal static partial class FunctionAppReader
{
    public static FunctionApp Read(string appRoot, AppSettings settings, string hubName)
    {
        var root = Path.GetFullPath(appRoot);
        var manifest = HostManifestReader.Read(root, settings);
        var files = Directory.EnumerateDirectories(root)
            .Select(folder => Path.Combine(folder, "function.json"))
            .Where(File.Exists)
            .Order(StringComparer.Ordinal)
            .ToList();
        if (manifest.Handler.HasHttpRoutes)
        {
            throw new InvalidFunctionAppException(files.Count > 0
                ? $"{root}/host.json declares customHandler.http.routes while {files[0]} exists: the host refuses the two together. Declare HTTP functions in function.json as well."
                : $"{root}/host.json declares customHandler.http.routes, which this host does not play: declare HTTP functions in function.json.");
        }

        if (files.Count == 0)
        {
            throw new InvalidFunctionAppException($"{root} has no function: no folder holds a function.json. Publish the app first.");
        }

        var reader = new BindingReader(settings, hubName);
        var functions = files.Select(file => ReadFunction(file, reader)).OfType<FunctionDefinition>().ToList();
        CheckDurableNames(functions);
        return new FunctionApp(root, manifest, functions);
    }

    private static FunctionDefinition? ReadFunction(string file, BindingReader reader)
    {
        var name = Path.GetFileName(Path.GetDirectoryName(file))!;
        if (!FunctionName().IsMatch(name))
        {
            throw new InvalidFunctionAppException($"{file}: '{name}' is no function name: a letter, then up to 126 letters, digits, '_' or '-'.");
        }

        var json = AppJson.Read<FunctionJson>(file);
        if (json.Disabled?.ValueKind == JsonValueKind.True)
        {
            return null;
        }

        var bindings = (json.Bindings ?? []).Select(b => Binding.From(b, file)).ToList();
        if (bindings.GroupBy(b => b.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new InvalidFunctionAppException($"{file}: two bindings are named '{twice.Key}'.");
        }

        var triggers = bindings.Where(b => b.Type.EndsWith("trigger", StringComparison.OrdinalIgnoreCase)).ToList();
        if (triggers.Count != 1)
        {
            throw new InvalidFunctionAppException($"{file}: a function has exactly one trigger, this one has {triggers.Count}.");
        }

        var others = bindings.Except(triggers).ToList();
        var trigger = reader.Trigger(name, triggers[0]);
        var httpOutputs = others.Where(b => b.Is("http", BindingDirection.Out)).ToList();
        if (httpOutputs.Count != (trigger is HttpTrigger ? 1 : 0))
        {
            throw new InvalidFunctionAppException($"{file}: an HTTP function needs exactly one http output, any other function none; this one has {httpOutputs.Count}.");
        }

        var clients = others.Where(b => b.Is("durableClient", BindingDirection.In)).ToList();
        var queues = others.Where(b => b.Is("serviceBus", BindingDirection.Out)).ToList();
        if (others.Except([.. httpOutputs, .. clients, .. queues]).FirstOrDefault() is { } unknown)
        {
            throw new InvalidFunctionAppException($"{unknown.Where}: this host does not know the type '{unknown.Type}' with direction '{unknown.Direction}'.");
        }

        return new FunctionDefinition(name, trigger, [.. clients.Select(reader.DurableClient)], httpOutputs.SingleOrDefault()?.Name, [.. queues.Select(reader.QueueOutput)]);
    }

    private static void CheckDurableNames(IEnumerable<FunctionDefinition> functions)
    {
        var names = functions.Select(f => f.Trigger switch
        {
            OrchestrationTrigger t => $"orchestrator '{t.Orchestrator}'",
            ActivityTrigger t => $"activity '{t.Activity}'",
            _ => null,
        });
        if (names.OfType<string>().GroupBy(n => n, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new InvalidFunctionAppException($"Two functions declare the {twice.Key}.");
        }
    }

    [GeneratedRegex("^[a-zA-Z][a-zA-Z0-9_-]{0,126}$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FunctionName();

    private sealed record FunctionJson(JsonElement? Disabled, IReadOnlyList<JsonObject>? Bindings);
}
