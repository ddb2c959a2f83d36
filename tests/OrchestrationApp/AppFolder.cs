using System.Text.Json.Nodes;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp;

/// <summary>This app as the Functions host reads it.</summary>
public static class AppFolder
{
    /// <summary>Writes <c>host.json</c> and the <c>function.json</c> files of every function of this app.</summary>
    /// <param name="folder">Where; it is made if need be.</param>
    /// <param name="maxConcurrentActivities">Activities that the host may run at the same time.</param>
    public static void Write(string folder, int maxConcurrentActivities = 16)
    {
        Directory.CreateDirectory(folder);
        FunctionJson.Write(Catalog(), folder);
        var host = new JsonObject
        {
            ["version"] = "2.0",
            ["customHandler"] = new JsonObject
            {
                ["description"] = new JsonObject { ["defaultExecutablePath"] = Path.ChangeExtension(typeof(AppFolder).Assembly.Location, null) },
            },
            ["extensions"] = new JsonObject
            {
                ["durableTask"] = new JsonObject
                {
                    ["maxConcurrentActivityFunctions"] = maxConcurrentActivities,
                    ["maxConcurrentOrchestratorFunctions"] = 16,
                },
            },
        };
        File.WriteAllText(Path.Combine(folder, "host.json"), host.ToJsonString());
    }

    internal static FunctionCatalog Catalog() => FunctionCatalog.Scan(typeof(AppFolder).Assembly);
}
