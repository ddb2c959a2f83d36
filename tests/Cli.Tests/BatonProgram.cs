using System.Diagnostics;
using System.Reflection;

namespace Baton.Cli.Tests;

/// <summary>What a run of <c>baton</c> printed and ended with.</summary>
internal sealed record BatonRun(int ExitCode, string Output, string Error)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs the real program as a process, against one account. No run may print the account's key, whatever it does.</summary>
internal sealed class BatonProgram(string connectionString)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly string _key = connectionString.Split(';').Single(p => p.StartsWith("AccountKey=", StringComparison.Ordinal))["AccountKey=".Length..];

    /// <summary>With the account in the environment, as its help advises.</summary>
    public Task<BatonRun> RunAsync(params string[] arguments) => RunAsync(connectionString, arguments);

    /// <summary>With <paramref name="environment"/> as the account, or with none.</summary>
    public async Task<BatonRun> RunAsync(string? environment, string[] arguments)
    {
        using var process = Start(environment, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await EndAsync(process);
        var run = new BatonRun(process.ExitCode, await output, await error);
        Assert.DoesNotContain(_key, run.Output + run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at Baton", run.Output + run.Error, StringComparison.Ordinal);
        return run;
    }

    /// <summary>Reads the first line, as <c>| head -1</c> does, and goes.</summary>
    public async Task<BatonRun> RunUntilFirstLineAsync(params string[] arguments)
    {
        using var process = Start(connectionString, arguments);
        var error = process.StandardError.ReadToEndAsync();
        var line = await process.StandardOutput.ReadLineAsync();
        process.StandardOutput.Close();
        await EndAsync(process);
        return new BatonRun(process.ExitCode, line ?? string.Empty, await error);
    }

    /// <summary>Writes to a disk that is full.</summary>
    public async Task<BatonRun> RunOnFullDiskAsync(params string[] arguments)
    {
        using var process = Start(connectionString, arguments, "exec \"$0\" \"$@\" > /dev/full");
        var error = process.StandardError.ReadToEndAsync();
        await EndAsync(process);
        return new BatonRun(process.ExitCode, string.Empty, await error);
    }

    private static Process Start(string? environment, string[] arguments, string? shell = null)
    {
        var program = typeof(BatonProgram).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "BatonAssembly").Value!;
        var start = new ProcessStartInfo(shell is null ? "dotnet" : "/bin/sh") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var first in shell is null ? new[] { program } : ["-c", shell, "dotnet", program])
        {
            start.ArgumentList.Add(first);
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["Storage__ConnectionString"] = environment;
        return Process.Start(start)!;
    }

    private static async Task EndAsync(Process process)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
