using System.Globalization;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.DevHost.Commands;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.Processes;

namespace Baton.DevHost.Clusters;

/// <summary>
/// One cluster of real processes: the Functions host with the function app as its child, the nodes, and the gateway. All of them end when this process ends.
/// </summary>
public sealed class LocalCluster : IAsyncDisposable
{
    /// <summary>Creations under way at once: each is a conditional write of the one row of the cluster's state, so more only repeat each other's.</summary>
    private const int CreatedAtOnce = 4;

    private readonly LocalClusterOptions _options;
    private readonly List<LogFile> _logs = [];
    private readonly ChildProcess?[] _nodes;
    private readonly Uri?[] _nodeAddresses;
    private ChildProcess? _host;
    private ChildProcess? _gateway;
    private Uri? _gatewayAddress;

    private LocalCluster(LocalClusterOptions options)
    {
        _options = options;
        _nodes = new ChildProcess?[options.Nodes];
        _nodeAddresses = new Uri?[options.Nodes];
    }

    /// <summary>Its id.</summary>
    public string ClusterId => _options.ClusterId;

    /// <summary>The names of its channels, in order.</summary>
    public IReadOnlyList<string> Channels => [.. Enumerable.Range(0, _options.Channels).Select(i => $"{ClusterId}-ch{i}")];

    /// <summary>Address of the control plane.</summary>
    public Uri ControlPlane { get; private set; } = null!;

    /// <summary>Address of the gateway, the one that clients are given.</summary>
    /// <exception cref="InvalidOperationException">The cluster has none.</exception>
    public Uri Gateway => _gatewayAddress ?? throw new InvalidOperationException($"Cluster {ClusterId} was started without a gateway.");

    /// <summary>Talks to the cluster as an operator and a client would.</summary>
    public ClusterClient Client { get; private set; } = null!;

    /// <summary>Its secrets.</summary>
    public ClusterSecrets Secrets => _options.Secrets;

    /// <summary>Its entry in a replicate configuration: its control plane as the address, its replication secret as the token.</summary>
    public ReplicateCluster Entry => new(ClusterId, ControlPlane.GetLeftPart(UriPartial.Authority), [.. Channels], Secrets.ReplicationSecret);

    /// <summary>Connection string of its storage account. It holds the account's key.</summary>
    public string StorageConnectionString => _options.StorageConnectionString;

    /// <summary>Process ids of all that runs, the handler under the host not counted.</summary>
    public IReadOnlyList<int> ProcessIds => [.. new[] { _host, _gateway }.Concat(_nodes).OfType<ChildProcess>().Where(p => !p.HasExited).Select(p => p.Id)];

    /// <summary>Starts the control plane, the nodes and the gateway, waits until all nodes have joined, creates the channels that are not there, and waits until each has a serving leader.</summary>
    public static async Task<LocalCluster> StartAsync(LocalClusterOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var cluster = new LocalCluster(options);
        try
        {
            await cluster.StartControlPlaneAsync(null, cancellationToken);
            cluster.Client = new ClusterClient(cluster.ControlPlane, options.Secrets);
            var gateway = options.Gateway ? cluster.StartGatewayAsync(cancellationToken) : Task.CompletedTask;
            var atFirst = options.NodesAtFirst ?? options.Nodes;
            await Task.WhenAll(Enumerable.Range(0, atFirst).Select(i => cluster.StartNodeAsync(i, cancellationToken)).Append(gateway));
            await cluster.Client.WaitForNodesAsync(atFirst, options.StartTimeout, cancellationToken);
            await Parallel.ForEachAsync(
                cluster.Channels,
                new ParallelOptions { MaxDegreeOfParallelism = CreatedAtOnce, CancellationToken = cancellationToken },
                async (channel, ct) => await cluster.Client.CreateChannelAsync(channel, options.ReplicationFactor, ct));

            await cluster.Client.WaitUntilServingAsync(cluster.Channels, options.StartTimeout, cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the control plane, again after it was killed: at the port it had.</summary>
    /// <param name="crashAt">Where it shall die, for tests of exactly that.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task StartControlPlaneAsync(CrashPoint? crashAt, CancellationToken cancellationToken)
    {
        var port = ControlPlane?.Port ?? _options.ControlPlanePort;
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Cluster__Id"] = ClusterId,
            ["Cluster__Secret"] = Secrets.ControlSecret,
            ["Cluster__ReplicationSecret"] = Secrets.ReplicationSecret,
            ["Storage__ConnectionString"] = _options.StorageConnectionString,
            ["Placement__LeaderPolicy"] = _options.LeaderPolicy.ToString(),

            // Only one instance writes: what it wrote, those who wait learn at once.
            ["Route__LookMs"] = "250",
            ["HeartbeatSweepSchedule"] = "*/1 * * * * *",
            ["RecoverySweepSchedule"] = "*/1 * * * * *",
            ["OperationSweepSchedule"] = "*/10 * * * * *",
            ["ServiceBusConnection"] = "local",
        };
        foreach (var (key, value) in _options.AppSettings)
        {
            settings[key] = value;
        }

        var host = new HostCommandOptions(
            BuiltApps.FunctionApp, port, _options.StorageConnectionString, HubName: $"baton{string.Concat(ClusterId.Where(char.IsAsciiLetterOrDigit))}",
            settings, Secrets.FunctionKey, Secrets.AdminKey, Secrets.SystemKey, crashAt);
        var log = Log($"{ClusterId}-control-plane");
        _host = ChildProcess.Start(new ChildProcessStart(
            $"control plane of cluster {ClusterId}",
            BuiltApps.Dotnet,
            [BuiltApps.DevHost, HostCommand.Name],
            Environment: new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [HostCommand.OptionsVariable] = JsonSerializer.Serialize(host, BatonJson.Options),
            },
            OnLine: log.Write));
        var line = await _host.WaitForLineAsync(l => l.StartsWith(HostCommand.ReadyMark, StringComparison.Ordinal), _options.StartTimeout, cancellationToken);
        ControlPlane = new Uri(line[HostCommand.ReadyMark.Length..].Trim());
    }

    /// <summary>Tells the running control plane where it shall die, for tests of exactly that: what a start with that crash point does, without the start.</summary>
    /// <param name="crashAt">Its calls count from now on.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task CrashControlPlaneAsync(CrashPoint crashAt, CancellationToken cancellationToken)
    {
        var host = _host ?? throw new InvalidOperationException("The control plane was never started.");
        await host.SayAsync(HostCommand.CrashMark + crashAt, cancellationToken);
        await host.WaitForLineAsync(l => l == HostCommand.CrashMark + crashAt, _options.StartTimeout, cancellationToken);
    }

    /// <summary>Starts node <paramref name="index"/>, again after it was killed.</summary>
    public async Task StartNodeAsync(int index, CancellationToken cancellationToken)
    {
        const string ready = "Baton node listening on ";
        var id = NodeId(index);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Node__Id"] = id,
            ["Node__ListenPort"] = (_options.FirstNodePort == 0 ? 0 : _options.FirstNodePort + index).ToString(CultureInfo.InvariantCulture),
            ["Cluster__Id"] = ClusterId,
            ["Cluster__Secret"] = Secrets.ControlSecret,
            ["Cluster__ClientSecret"] = Secrets.ClientSecret,
            ["Cluster__ReplicationSecret"] = Secrets.ReplicationSecret,
            ["ControlPlane__Url"] = ControlPlane.ToString(),
            ["ControlPlane__Key"] = Secrets.FunctionKey,
            ["Storage__ConnectionString"] = _options.StorageConnectionString,
            ["Replicas__Folder"] = Path.Combine(_options.ReplicaFolder, id),
            ["ExitWhenStdinCloses"] = "true",

            // All nodes are stopped together, perhaps without a control plane: none must wait for long to be taken over from.
            ["Node__DrainTimeoutMs"] = "3000",
        };
        foreach (var (key, value) in _options.NodeSettings.Concat(_options.NodeSettingsOf?.Invoke(index) ?? new Dictionary<string, string>(StringComparer.Ordinal)))
        {
            environment[key] = value;
        }

        var node = ChildProcess.Start(new ChildProcessStart($"node {id}", BuiltApps.Dotnet, [BuiltApps.Node], Environment: environment, OnLine: Log(id).Write));
        _nodes[index] = node;
        var line = await node.WaitForLineAsync(l => l.Contains(ready, StringComparison.Ordinal), _options.StartTimeout, cancellationToken);
        var address = new Uri(line[(line.IndexOf(ready, StringComparison.Ordinal) + ready.Length)..].Trim());
        _nodeAddresses[index] = address;
        _options.NodeStarted?.Invoke(index, address);
    }

    /// <summary>Starts the gateway, again after it was killed: at the port it had.</summary>
    public async Task StartGatewayAsync(CancellationToken cancellationToken)
    {
        const string ready = "Baton gateway listening on ";
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Gateway__Id"] = $"{ClusterId}-gateway",
            ["Gateway__ListenPort"] = (_gatewayAddress?.Port ?? _options.GatewayPort).ToString(CultureInfo.InvariantCulture),
            ["Cluster__ClientSecret"] = Secrets.ClientSecret,
            ["ControlPlane__Url"] = ControlPlane.ToString(),
            ["ControlPlane__Key"] = Secrets.FunctionKey,
            ["ExitWhenStdinCloses"] = "true",
        };
        foreach (var (key, value) in _options.GatewaySettings)
        {
            environment[key] = value;
        }

        _gateway = ChildProcess.Start(new ChildProcessStart(
            $"gateway of cluster {ClusterId}", BuiltApps.Dotnet, [BuiltApps.Gateway], Environment: environment, OnLine: Log($"{ClusterId}-gateway").Write));
        var line = await _gateway.WaitForLineAsync(l => l.Contains(ready, StringComparison.Ordinal), _options.StartTimeout, cancellationToken);
        _gatewayAddress = new Uri(line[(line.IndexOf(ready, StringComparison.Ordinal) + ready.Length)..].Trim());
    }

    /// <summary>SIGKILL to the gateway.</summary>
    public Task KillGatewayAsync() => _gateway?.KillAsync() ?? Task.CompletedTask;

    /// <summary>Id of a node.</summary>
    public string NodeId(int index) => $"{ClusterId}-node{index + 1}";

    /// <summary>Where a node listens, since its last start: not what others are told where <c>Node:Endpoint</c> says something else.</summary>
    /// <exception cref="InvalidOperationException">It was never started.</exception>
    public Uri NodeAddress(int index) => _nodeAddresses[index] ?? throw new InvalidOperationException($"Node {NodeId(index)} was never started.");

    /// <summary>Which of the nodes has this id.</summary>
    public int NodeIndex(string nodeId) => Enumerable.Range(0, _nodes.Length).Single(i => NodeId(i) == nodeId);

    /// <summary>The process id of a node, since its last start.</summary>
    public int NodeProcessId(int index) => Started(index).Id;

    /// <summary>The file with the output of a node, or of another process of this cluster.</summary>
    public string LogOf(string process) => Path.Combine(_options.LogFolder, process + ".log");

    /// <summary>How many nodes it may have.</summary>
    public int NodeCount => _nodes.Length;

    /// <summary>The nodes that were started and have not ended.</summary>
    public IReadOnlyList<int> RunningNodes => [.. Enumerable.Range(0, _nodes.Length).Where(IsNodeRunning)];

    /// <summary>A node was started and has not ended.</summary>
    public bool IsNodeRunning(int index) => _nodes[index] is { HasExited: false };

    /// <summary>SIGKILL to the control plane: host and function app.</summary>
    public Task KillControlPlaneAsync() => _host?.KillAsync() ?? Task.CompletedTask;

    /// <summary>Completes when the control plane's host has ended, by whatever means.</summary>
    public Task WaitForControlPlaneExitAsync(CancellationToken cancellationToken) => _host?.WaitForExitAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>SIGKILL to a node, which has started nothing itself.</summary>
    public Task KillNodeAsync(int index) => _nodes[index]?.KillAloneAsync() ?? Task.CompletedTask;

    /// <summary>SIGSTOP to a node: it keeps its connections and answers nothing, as a host does that hangs.</summary>
    public Task FreezeNodeAsync(int index, CancellationToken cancellationToken) => Started(index).FreezeAsync(cancellationToken);

    /// <summary>SIGCONT to a node, which goes on as if nothing had been.</summary>
    public Task ThawNodeAsync(int index, CancellationToken cancellationToken) => Started(index).ThawAsync(cancellationToken);

    /// <summary>SIGTERM to a node, which leaves its cluster in order. Completes with its exit code when it has ended.</summary>
    public async Task<int> StopNodeAsync(int index, CancellationToken cancellationToken)
    {
        await Started(index).TerminateAsync(cancellationToken);
        return await WaitForNodeExitAsync(index, cancellationToken);
    }

    /// <summary>Completes with a node's exit code when it has ended, by whatever means.</summary>
    public async Task<int> WaitForNodeExitAsync(int index, CancellationToken cancellationToken)
    {
        var node = Started(index);
        await node.WaitForExitAsync(cancellationToken);
        return node.ExitCode;
    }

    /// <summary>SIGKILL to everything of this cluster.</summary>
    public Task KillEverythingAsync() => Task.WhenAll([.. Enumerable.Range(0, _nodes.Length).Select(KillNodeAsync), KillControlPlaneAsync(), KillGatewayAsync()]);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }

        // Nodes before the control plane: they then say goodbye to one that still answers.
        await Task.WhenAll(_nodes.OfType<ChildProcess>().Select(n => n.DisposeAsync().AsTask()));
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        foreach (var log in _logs)
        {
            log.Dispose();
        }
    }

    private ChildProcess Started(int index) => _nodes[index] ?? throw new InvalidOperationException($"Node {NodeId(index)} was never started.");

    private LogFile Log(string name)
    {
        var log = new LogFile(LogOf(name));
        _logs.Add(log);
        return log;
    }
}
