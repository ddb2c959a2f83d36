namespace Baton.Node.Tests.Status;

/// <summary><c>docs/metrics.md</c>, which names every metric.</summary>
internal static class MetricsPage
{
    public static Task<string> ReadAsync()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Functions.sln")))
        {
            folder = folder.Parent;
        }

        return File.ReadAllTextAsync(Path.Combine(folder.FullName, "docs", "metrics.md"));
    }
}
