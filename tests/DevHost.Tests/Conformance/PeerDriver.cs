using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Baton.DevHost.Processes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>The peer's in-memory backend in a process of its own, which plays scenarios against a worker.</summary>
internal sealed class PeerDriver : IAsyncDisposable
{
    private const string Ready = "listening at ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly ChildProcess _process;
    private readonly HttpClient _http;

    private PeerDriver(ChildProcess process, Uri address)
    {
        _process = process;
        _http = new HttpClient { BaseAddress = address, Timeout = Patience };
    }

    public static string Folder => Path.Combine(Scenario.Folder, "Peer");

    public static async Task<PeerDriver> StartAsync()
    {
        var process = ChildProcess.Start(new ChildProcessStart("peer", "node", [Path.Combine(Folder, "driver.js")]));
        try
        {
            var line = await process.WaitForLineAsync(line => line.StartsWith(Ready, StringComparison.Ordinal), Patience, CancellationToken.None);
            return new PeerDriver(process, new Uri(line[Ready.Length..]));
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Plays <paramref name="scenario"/> against the peer's own worker, or against the custom handler that serves <paramref name="appRoot"/> at <paramref name="handler"/>.</summary>
    public async Task<Observation> PlayAsync(Scenario scenario, Uri? handler = null, string? appRoot = null)
    {
        var body = new JsonObject
        {
            ["scenario"] = JsonSerializer.SerializeToNode(scenario, ScenarioJson.Options),
            ["handler"] = handler is null ? null : new JsonObject { ["address"] = handler.AbsoluteUri, ["appRoot"] = appRoot },
        };
        using var answer = await _http.PostAsJsonAsync(string.Empty, body);
        Assert.True(answer.IsSuccessStatusCode, $"The peer's driver: {await answer.Content.ReadAsStringAsync()}");
        var played = (await answer.Content.ReadFromJsonAsync<Played>())!;
        return new Observation(
            played.Status,
            played.Output,
            played.CustomStatus,
            [.. played.Instances.Select(instance => new InstanceHistory(instance.Id, [.. instance.Events.Select(e => HistoryEvent.Parser.ParseFrom(e))]))]);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
    }

    private sealed record Played(string Status, string? Output, string? CustomStatus, IReadOnlyList<PlayedInstance> Instances);

    private sealed record PlayedInstance(string Id, IReadOnlyList<byte[]> Events);
}
