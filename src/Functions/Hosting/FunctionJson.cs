using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Baton.Functions.Hosting;

/// <summary>Writes the declarations in the form the host reads: a folder per function with a <c>function.json</c>.</summary>
internal static class FunctionJson
{
    private const string FileName = "function.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Writes every function of <paramref name="catalog"/> below <paramref name="folder"/> and removes those that are no longer declared.
    /// Files that already say the same are left alone.
    /// </summary>
    public static void Write(FunctionCatalog catalog, string folder)
    {
        foreach (var stale in Stale(catalog, folder))
        {
            Remove(stale);
        }

        foreach (var function in catalog.Functions)
        {
            var file = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, function.Name)).FullName, FileName);
            var text = TextOf(function);
            if (!File.Exists(file) || !string.Equals(File.ReadAllText(file), text, StringComparison.Ordinal))
            {
                File.WriteAllText(file, text);
            }
        }
    }

    /// <summary>The text of one function's <c>function.json</c>.</summary>
    public static string TextOf(FunctionDefinition function)
    {
        JsonObject[] bindings =
        [
            TriggerBinding(function),
            .. function.ClientParameter is { } client ? [Binding(client.Name!, "durableClient", "in")] : Array.Empty<JsonObject>(),
            .. function.Trigger is HttpTriggerAttribute ? [Binding(FunctionDefinition.HttpOutputName, "http", "out")] : Array.Empty<JsonObject>(),
            .. function.QueueOutputs.Select(QueueBinding),
        ];
        return new JsonObject { ["bindings"] = new JsonArray(bindings) }.ToJsonString(Indented) + "\n";
    }

    private static JsonObject TriggerBinding(FunctionDefinition function)
    {
        switch (function.Trigger)
        {
            case HttpTriggerAttribute http:
                var request = Binding(function.TriggerName, "httpTrigger", "in");
                request["authLevel"] = http.AuthLevel.ToString().ToLowerInvariant();
                request["methods"] = new JsonArray([.. http.Methods.Select(verb => JsonValue.Create(verb.ToLowerInvariant()))]);
                request["route"] = http.Route;
                return request;
            case ServiceBusTriggerAttribute queue:
                var message = Binding(function.TriggerName, "serviceBusTrigger", "in");
                message["queueName"] = queue.QueueName;
                message["connection"] = queue.Connection;

                // As a string, the host would spread the fields of a JSON body over the message's own metadata.
                message["dataType"] = "binary";
                return message;
            case TimerTriggerAttribute timer:
                var tick = Binding(function.TriggerName, "timerTrigger", "in");
                tick["schedule"] = timer.Schedule;
                return tick;
            case OrchestrationTriggerAttribute:
                return Binding(function.TriggerName, "orchestrationTrigger", "in");
            default:
                return Binding(function.TriggerName, "activityTrigger", "in");
        }
    }

    private static JsonObject QueueBinding(QueueOutput output)
    {
        var binding = Binding(output.Name, "serviceBus", "out");
        binding["queueName"] = output.Declaration.QueueName;
        binding["connection"] = output.Declaration.Connection;
        return binding;
    }

    private static JsonObject Binding(string name, string type, string direction) =>
        new() { ["name"] = name, ["type"] = type, ["direction"] = direction };

    private static List<string> Stale(FunctionCatalog catalog, string folder) =>
        Directory.Exists(folder)
            ? Directory.EnumerateDirectories(folder)
                .Where(function => File.Exists(Path.Combine(function, FileName)))
                .Where(function => catalog.Functions.All(declared => !string.Equals(declared.Name, Path.GetFileName(function), StringComparison.Ordinal)))
                .ToList()
            : [];

    private static void Remove(string functionFolder)
    {
        File.Delete(Path.Combine(functionFolder, FileName));
        if (!Directory.EnumerateFileSystemEntries(functionFolder).Any())
        {
            Directory.Delete(functionFolder);
        }
    }
}
