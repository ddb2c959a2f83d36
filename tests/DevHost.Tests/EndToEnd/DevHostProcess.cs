using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>DevHost as a user starts it.</summary>
internal static class DevHostProcess
{
    public static ChildProcess Start(params string[] arguments) => ChildProcess.Start(new ChildProcessStart(
        "devhost",
        "dotnet",
        [Assembly(), .. arguments],
        Environment: new Dictionary<string, string>(StringComparer.Ordinal) { ["ExitWhenStdinCloses"] = "true" }));

    public static void Signal(ChildProcess process, string signal)
    {
        using var kill = System.Diagnostics.Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Ids of a process's children, their children, and so on.</summary>
    public static IReadOnlyList<int> Descendants(int processId)
    {
        var parents = Directory.EnumerateDirectories("/proc")
            .Select(d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var id) ? (Id: id, Parent: ParentOf(id)) : (Id: 0, Parent: 0))
            .Where(p => p.Id > 0)
            .ToLookup(p => p.Parent, p => p.Id);
        var found = new List<int>();
        var next = new Queue<int>([processId]);
        while (next.TryDequeue(out var id))
        {
            foreach (var child in parents[id])
            {
                found.Add(child);
                next.Enqueue(child);
            }
        }

        return found;
    }

    public static bool IsAlive(int processId) => ParentOf(processId) >= 0;

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static int ParentOf(int processId)
    {
        try
        {
            // "pid (name) state ppid …"; the name may hold spaces and parentheses. Z and X are dead already.
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? -1 : int.Parse(fields[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return -1;
        }
    }

    private static string Assembly() =>
        typeof(ChildProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "DevHostAssembly").Value!;
}
