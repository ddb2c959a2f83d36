using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Baton.OrchestrationApp;
using Baton.Testing;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>
/// The four pairings of backend and worker, each started when the first test asks for it. All scenarios of a pairing then run
/// at the same time, bounded, since most of them wait most of the time.
/// </summary>
public sealed class Pairings : IAsyncLifetime
{
    private const int ScenariosAtOnce = 8;

    private readonly AzuriteFixture _azurite = new();
    private readonly ConcurrentStack<IAsyncDisposable> _started = [];
    private readonly string _root = Directory.CreateTempSubdirectory("baton-conformance-").FullName;
    private Lazy<Task<PeerDriver>>? _peer;
    private Pairing? _reference;
    private Pairing? _peerBackend;
    private Pairing? _peerWorker;
    private Pairing? _batonAlone;

    /// <summary>The peer's backend and worker: what the others are compared with.</summary>
    internal Pairing Reference => _reference!;

    /// <summary>The peer's backend, Baton's worker.</summary>
    internal Pairing PeerBackend => _peerBackend!;

    /// <summary>Baton's engine, the peer's worker.</summary>
    internal Pairing PeerWorker => _peerWorker!;

    /// <summary>Baton's engine and worker.</summary>
    internal Pairing BatonAlone => _batonAlone!;

    public async Task InitializeAsync()
    {
        await _azurite.InitializeAsync();
        _peer = new(() => KeepAsync(PeerDriver.StartAsync()));
        _reference = new(WorkerKind.Peer, ScenariosAtOnce, async () =>
        {
            var peer = await _peer.Value;
            return scenario => peer.PlayAsync(scenario);
        });
        _peerBackend = new(WorkerKind.Baton, ScenariosAtOnce, async () =>
        {
            var app = BatonApp("behind-the-peer");
            var handler = await KeepAsync(HandlerUnderTest.StartAsync(app));
            var peer = await _peer.Value;
            return scenario => peer.PlayAsync(scenario, handler.Address, app);
        });
        _peerWorker = new(WorkerKind.PeerHandler, ScenariosAtOnce, async () => (await KeepAsync(EngineDriver.StartAsync(PeerApp(), _azurite.NewAccount()))).PlayAsync);
        _batonAlone = new(WorkerKind.Baton, ScenariosAtOnce, async () => (await KeepAsync(EngineDriver.StartAsync(BatonApp("alone"), _azurite.NewAccount()))).PlayAsync);
    }

    public async Task DisposeAsync()
    {
        foreach (var pairing in new[] { _reference, _peerBackend, _peerWorker, _batonAlone }.OfType<Pairing>())
        {
            await pairing.DrainAsync();
        }

        foreach (var started in _started)
        {
            await started.DisposeAsync();
        }

        Directory.Delete(_root, recursive: true);
    }

    private string BatonApp(string name)
    {
        var folder = Path.Combine(_root, name);
        AppFolder.Write(folder);
        return folder;
    }

    // The same functions with the same bindings, served by another handler.
    private string PeerApp()
    {
        var folder = BatonApp("peer");
        var hostFile = Path.Combine(folder, "host.json");
        var host = JsonNode.Parse(File.ReadAllText(hostFile))!;
        host["customHandler"]!["description"] = new JsonObject
        {
            ["defaultExecutablePath"] = "node",
            ["arguments"] = new JsonArray(Path.Combine(PeerDriver.Folder, "handler.js")),
        };
        File.WriteAllText(hostFile, host.ToJsonString());
        return folder;
    }

    private async Task<T> KeepAsync<T>(Task<T> starting)
        where T : IAsyncDisposable
    {
        var started = await starting;
        _started.Push(started);
        return started;
    }
}
