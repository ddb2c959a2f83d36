using System.Net.Http.Json;
using Baton.DevHost.Azurite;
using Baton.DevHost.FunctionsHost;
using Baton.OrchestrationApp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Bench.Orchestrations;

/// <summary>DevHost's Functions host over the app of orchestrations, asked through the management API.</summary>
internal sealed class BenchHost : IAsyncDisposable
{
    private const string SystemKey = "bench";

    private readonly string _folder;
    private readonly AzuriteServer _azurite;
    private readonly FunctionsHost _host;
    private readonly HttpClient _http;

    private BenchHost(string folder, AzuriteServer azurite, string storage, FunctionsHost host)
    {
        (_folder, _azurite, _host, Storage) = (folder, azurite, host, storage);
        _http = new HttpClient { BaseAddress = new Uri(host.BaseAddress, "/runtime/webhooks/durabletask/"), Timeout = TimeSpan.FromMinutes(10) };
        _http.DefaultRequestHeaders.Add("x-functions-key", SystemKey);
    }

    public string Storage { get; }

    public static async Task<BenchHost> StartAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("baton-bench-").FullName;
        AppFolder.Write(folder);
        var account = AzuriteAccount.Create("bench");
        var azurite = await AzuriteServer.StartAsync(new AzuriteOptions { Accounts = [account] }, cancellationToken);
        try
        {
            var storage = azurite.ConnectionString(account.Name);
            var options = new FunctionsHostOptions { AppRoot = folder, StorageConnectionString = storage, HubName = "bench", Keys = new HostKeys("f", "m", SystemKey) };
            return new BenchHost(folder, azurite, storage, await FunctionsHost.StartAsync(options, NullLoggerFactory.Instance, cancellationToken));
        }
        catch
        {
            await azurite.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs an orchestration to its end.</summary>
    /// <returns>Its turns.</returns>
    public async Task<int> RunAsync(string orchestrator, int input, CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid().ToString("N");
        using var answer = await _http.PostAsJsonAsync(new Uri($"orchestrators/{orchestrator}/{id}?timeout=600", UriKind.Relative), input, cancellationToken);
        var output = await answer.Content.ReadAsStringAsync(cancellationToken);
        var expected = (long)input * (input - 1) / 2;
        if (output != $"{expected}")
        {
            throw new InvalidOperationException($"{orchestrator}({input}) answered {(int)answer.StatusCode} {output}, not {expected}.");
        }

        // Asked only where it does not weigh on what is measured.
        return input < 100 ? 0 : await TurnsAsync(id, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
        await _azurite.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<int> TurnsAsync(string id, CancellationToken cancellationToken) =>
        (await _host.Engine!.Instances.HistoryAsync(id, cancellationToken)).Count(e => e.OrchestratorStarted is not null);
}
