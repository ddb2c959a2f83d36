using System.Diagnostics;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Processes;
using Baton.OrchestrationApp.RandomPrograms;

namespace Baton.KilledHosts;

/// <summary>What a host runs.</summary>
/// <param name="AppFolder">The app of random programs, as <see cref="OrchestrationApp.AppFolder"/> writes it.</param>
/// <param name="ConnectionString">The account that holds hub and effects.</param>
/// <param name="HubName">The hub, and the table of effects.</param>
internal sealed record MortalHostOptions(string AppFolder, string ConnectionString, string HubName);

/// <summary>A Functions host in a process of its own, with the handler that it starts.</summary>
internal sealed class MortalHost : IAsyncDisposable
{
    public const string SystemKey = "system";

    // The host's own names, which only its own tests may reference.
    private const string OptionsVariable = "BATON_DEVHOST_HOST";
    private const string ReadyMark = "Baton control plane listening on ";
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);

    private readonly ChildProcess _process;

    private MortalHost(ChildProcess process, CancellationToken ct)
    {
        _process = process;
        Ready = ReadyAsync(ct);
    }

    /// <summary>Its address, once it takes work. Fails when it ends before.</summary>
    public Task<Uri> Ready { get; }

    /// <summary>For messages.</summary>
    public string LastLines => _process.LastLines();

    /// <summary>Starts it. It is not ready yet.</summary>
    public static MortalHost Start(MortalHostOptions options, CancellationToken ct)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [TableEffects.StorageSetting] = options.ConnectionString,
            [TableEffects.TableSetting] = options.HubName,
        };
        var host = new
        {
            appRoot = options.AppFolder,
            port = 0,
            storageConnectionString = options.ConnectionString,
            options.HubName,
            appSettings = settings,
            functionKey = "function",
            adminKey = "admin",
            systemKey = SystemKey,
        };
        return new MortalHost(
            ChildProcess.Start(new ChildProcessStart(
                "host",
                Path.Combine(AppContext.BaseDirectory, "Baton.DevHost"),
                ["host"],
                Environment: new Dictionary<string, string>(StringComparer.Ordinal) { [OptionsVariable] = JsonSerializer.Serialize(host, BatonJson.Options) })),
            ct);
    }

    /// <summary>SIGKILL to host and handler.</summary>
    public Task KillWithHandlerAsync() => _process.KillAsync();

    /// <summary>SIGKILL to the host only. The handler finishes what it does, for nobody, while the next host works.</summary>
    public async Task KillAloneAsync()
    {
        if (!_process.HasExited)
        {
            using var process = Process.GetProcessById(_process.Id);
            process.Kill();
        }

        await _process.WaitForExitAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await Task.WhenAny(Ready);
    }

    private async Task<Uri> ReadyAsync(CancellationToken ct)
    {
        var line = await _process.WaitForLineAsync(l => l.StartsWith(ReadyMark, StringComparison.Ordinal), StartTimeout, ct);
        return new Uri(line[ReadyMark.Length..].Trim());
    }
}
