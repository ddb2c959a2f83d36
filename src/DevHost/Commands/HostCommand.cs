using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Commands;

/// <summary>What a control plane's host is told. It holds secrets, so it travels in the environment, which only the owner of the process can read.</summary>
internal sealed record HostCommandOptions(
    string AppRoot,
    int Port,
    string StorageConnectionString,
    string HubName,
    IReadOnlyDictionary<string, string> AppSettings,
    string FunctionKey,
    string AdminKey,
    string SystemKey,
    CrashPoint? CrashAt);

/// <summary><c>host</c>: runs the Functions host's side for one function app, in a process of its own. Started by DevHost; nobody types it.</summary>
internal static class HostCommand
{
    public const string Name = "host";
    public const string OptionsVariable = "BATON_DEVHOST_HOST";
    public const string ReadyMark = "Baton control plane listening on ";

    /// <summary>A line on standard input, with a crash point behind it, sets that point; the same line on standard output says that it is set.</summary>
    public const string CrashMark = "Baton control plane crashes at ";

    // An orderly stop waits for storage; when the parent was killed, storage died with it, and nobody may be kept waiting for the ports.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(4);

    public static async Task<int> RunAsync()
    {
        var text = Environment.GetEnvironmentVariable(OptionsVariable);
        if (string.IsNullOrEmpty(text))
        {
            await Console.Error.WriteLineAsync($"{OptionsVariable} is not set. This command is started by DevHost itself; run it without arguments instead.");
            return 2;
        }

        var options = JsonSerializer.Deserialize<HostCommandOptions>(text, BatonJson.Options)!;

        // The function app inherits this process's environment, and it has no use for the host's keys.
        Environment.SetEnvironmentVariable(OptionsVariable, null);

        using var logging = LoggerFactory.Create(b => b.AddSimpleConsole(c => c.SingleLine = true).SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft", LogLevel.Warning));
        FunctionsHost.FunctionsHost? started = null;
        var parentGone = Lifeline.ParentGone(line => OnLine(line, Volatile.Read(ref started)));
        var host = await FunctionsHost.FunctionsHost.StartAsync(
            new FunctionsHostOptions
            {
                AppRoot = options.AppRoot,
                Port = options.Port,
                StorageConnectionString = options.StorageConnectionString,
                HubName = options.HubName,
                AppSettings = options.AppSettings,
                Keys = new HostKeys(options.FunctionKey, options.AdminKey, options.SystemKey),
                CrashAt = options.CrashAt,
            },
            logging,
            parentGone);
        Volatile.Write(ref started, host);
        Console.WriteLine(ReadyMark + host.BaseAddress);
        try
        {
            await host.WaitForShutdownAsync(parentGone);
            await host.DisposeAsync();
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAny(host.DisposeAsync().AsTask(), Task.Delay(StopGrace, CancellationToken.None));
        }

        return 0;
    }

    private static void OnLine(string line, FunctionsHost.FunctionsHost? host)
    {
        if (host is not null && line.StartsWith(CrashMark, StringComparison.Ordinal))
        {
            var point = CrashPoint.Parse(line[CrashMark.Length..]);
            host.CrashAt(point);
            Console.WriteLine(CrashMark + point);
        }
    }
}
