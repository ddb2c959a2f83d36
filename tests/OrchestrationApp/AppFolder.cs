using System.Text.Json.Nodes;
using Baton.Functions.Hosting;

namespace Baton.OrchestrationApp;

/// <summary>This app as the Functions host reads it.</summary>
public static class AppFolder
{
    /// <summary>Activities that the host runs at the same time.</summary>
    public const int MaxConcurrentActivities = 16;

    /// <summary>The handler's program.</summary>
    public static string Executable => Path.ChangeExtension(typeof(AppFolder).Assembly.Location, null);

    /// <summary>Writes <c>host.json</c> and the <c>function.json</c> files of every function of this app.</summary>
    /// <param name="folder">Where; it is made if need be.</param>
    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        FunctionJson.Write(Catalog(), folder);
        var host = new JsonObject
        {
            ["version"] = "2.0",
            ["customHandler"] = new JsonObject
            {
                ["description"] = new JsonObject { ["defaultExecutablePath"] = Executable },
            },
            ["extensions"] = new JsonObject
            {
                ["durableTask"] = new JsonObject
                {
                    ["maxConcurrentActivityFunctions"] = MaxConcurrentActivities,
                    ["maxConcurrentOrchestratorFunctions"] = 16,
                },
            },
        };
        File.WriteAllText(Path.Combine(folder, "host.json"), host.ToJsonString());
    }

    internal static FunctionCatalog Catalog() => FunctionCatalog.Scan(typeof(AppFolder).Assembly);
}
