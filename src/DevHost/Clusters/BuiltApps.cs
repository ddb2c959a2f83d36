using System.Reflection;

namespace Baton.DevHost.Clusters;

/// <summary>Where the build put the programs that DevHost starts. The project file writes these paths into the assembly, so that they hold for <c>dotnet run</c> and for tests alike.</summary>
internal static class BuiltApps
{
    /// <summary>The function app's root: host.json, a folder with function.json for each function, the handler.</summary>
    public static string FunctionApp => Existing("FunctionApp", Directory.Exists);

    /// <summary>The node's assembly.</summary>
    public static string Node => Existing("NodeAssembly", File.Exists);

    /// <summary>The gateway's assembly.</summary>
    public static string Gateway => Existing("GatewayAssembly", File.Exists);

    /// <summary>This program's own assembly, started again for each control plane's host.</summary>
    public static string DevHost => Existing("DevHostAssembly", File.Exists);

    /// <summary>The <c>dotnet</c> that runs this process, for the children.</summary>
    public static string Dotnet { get; } = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";

    private static string Existing(string name, Func<string, bool> exists)
    {
        var path = typeof(BuiltApps).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == name).Value!;
        return exists(path) ? path : throw new InvalidOperationException($"{path} is not there. Build it first: dotnet build Functions.sln");
    }
}
