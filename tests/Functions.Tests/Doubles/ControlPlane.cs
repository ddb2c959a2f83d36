using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Tables;
using Baton.Functions.Timeline;
using Baton.Functions.Topology;
using Baton.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.Doubles;

/// <summary>An HTTP answer.</summary>
internal sealed record Answer(int Status, string Body)
{
    public T Read<T>() => JsonSerializer.Deserialize<T>(Body, BatonJson.Options)!;

    public Problem Problem => Read<Problem>();
}

/// <summary>
/// The control plane of cluster "b" in the test's process: the app's own composition on an Azurite account, with the engine and the nodes played. A second one on the
/// same account is the same cluster after a restart.
/// </summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    public const string ClusterId = "b";
    public const string Secret = "control-secret-of-the-tests";

    private readonly ServiceProvider _services;
    private readonly List<NodeDouble> _nodes = [];
    private readonly ShiftedTime? _time;

    private ControlPlane(string account, ServiceProvider services, FunctionCatalog catalog, ShiftedTime? time, CallCounter storage)
    {
        Account = account;
        _services = services;
        _time = time;
        Storage = storage;
        Engine = new InProcessEngine(services, catalog);
    }

    public string Account { get; }

    public InProcessEngine Engine { get; }

    public ShiftedTime Time => _time ?? throw new InvalidOperationException("This one was started at a time of the test's own.");

    /// <summary>Counts calls to the table service.</summary>
    public CallCounter Storage { get; }

    public SharedLogs Logs { get; private init; } = new();

    public IReadOnlyList<NodeDouble> Nodes => _nodes;

    public static Task<ControlPlane> StartAsync(string account, SharedLogs? logs = null, params (string Name, string Value)[] settings) =>
        StartAtAsync(account, new ShiftedTime(), logs, settings);

    /// <summary>One that goes by <paramref name="time"/>, and whose storage client does not pause for long between attempts.</summary>
    public static async Task<ControlPlane> StartAtAsync(string account, TimeProvider time, SharedLogs? logs = null, params (string Name, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(
            [
                new("Cluster:Id", ClusterId),
                new("Cluster:Secret", Secret),
                new("Storage:ConnectionString", account),

                // A busy machine must not make a node double look silent.
                new("Failover:OpenTimeoutMs", "10000"),
            ])
            .AddInMemoryCollection(settings.Select(s => new KeyValuePair<string, string?>(s.Name, s.Value)))
            .Build();
        var catalog = FunctionCatalog.Scan(typeof(FunctionCatalog).Assembly);
        var storage = new CallCounter();
        var services = new ServiceCollection();
        services.AddLogging(l => l.ClearProviders());
        services.AddCapabilities(configuration);
        services.AddSingleton<IHostApplicationLifetime, ApplicationLifetime>();
        services.Replace(ServiceDescriptor.Singleton(time));
        services.Replace(ServiceDescriptor.Singleton(BatonStorage.Open(
            new StorageOptions { ConnectionString = account },
            o =>
            {
                o.AddPolicy(storage, HttpPipelinePosition.PerRetry);
                o.Retry.MaxDelay = time is ShiftedTime ? o.Retry.MaxDelay : TimeSpan.FromMilliseconds(1);
            })));
        foreach (var type in catalog.Functions.Where(f => !f.Method.IsStatic).Select(f => f.Method.DeclaringType!))
        {
            services.TryAddScoped(type);
        }

        var provider = services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
        await provider.GetRequiredService<ControlPlaneTables>().StartAsync(CancellationToken.None);
        return new ControlPlane(account, provider, catalog, time as ShiftedTime, storage) { Logs = logs ?? new SharedLogs() };
    }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public ReplicateConfigurationStore Configurations => Get<ReplicateConfigurationStore>();

    public ClusterStateStore States => Get<ClusterStateStore>();

    public BroadcastStore Broadcasts => Get<BroadcastStore>();

    public OperationStore Operations => Get<OperationStore>();

    public async Task<ReplicateConfigurationMeta> MetaAsync() => (await Configurations.ReadAsync(CancellationToken.None)).Meta;

    public async Task<ClusterState> StateAsync() => (await States.ReadAsync(CancellationToken.None)).State;

    public async Task<BroadcastTask> BroadcastAsync(long id) => (await Broadcasts.ReadAsync(id, CancellationToken.None))!.Task;

    public Task<IReadOnlyList<TimelineEntry>> TimelineAsync() => Get<TimelineStore>().ReadAsync(100, CancellationToken.None);

    public Task<IReadOnlyList<HeldLock>> LocksAsync() => Get<LockStore>().ListAsync(CancellationToken.None);

    /// <summary>Starts a node and lets it join; what its join gives it, it leads.</summary>
    public async Task<NodeDouble> AddNodeAsync(string nodeId)
    {
        var node = await NodeDouble.StartAsync(nodeId, Logs, Secret);
        _nodes.Add(node);
        var joined = await JoinAsync(nodeId, node.Endpoint);
        Assert.Equal(200, joined.Status);
        foreach (var assignment in joined.Read<JoinNodeResponse>().Assignments.Where(a => a.Role == Assignments.Leader))
        {
            node.OpenAt(assignment.Channel, assignment.Term);
        }

        return node;
    }

    /// <summary><c>PUT /api/nodes/{nodeId}</c>.</summary>
    public Task<Answer> JoinAsync(string nodeId, Uri endpoint, string? instance = null) =>
        CallAsync<Functions.Nodes.NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, new JoinNodeRequest(endpoint, Instance: instance), ("nodeId", nodeId));

    /// <summary><c>POST /api/nodes/{nodeId}/heartbeat</c>, with what the node leads.</summary>
    public Task<Answer> BeatAsync(string nodeId, long incarnation, params HeartbeatChannel[] channels) => CallAsync<Functions.Nodes.NodeHeartbeat>(
        async (f, r) => (await f.RunAsync(r, default)).Answer, new HeartbeatRequest(incarnation, channels), ("nodeId", nodeId));

    /// <summary>Every node that lives says what is open on it.</summary>
    public async Task BeatAllAsync()
    {
        var state = await StateAsync();
        foreach (var node in _nodes.Where(n => state.Nodes[n.NodeId].IsLive))
        {
            await BeatAsync(node.NodeId, state.Nodes[node.NodeId].Incarnation, [.. node.Open.Select(o => new HeartbeatChannel(o.Key, o.Value, "leader", 0, 0))]);
        }
    }

    public async Task AddChannelAsync(string name)
    {
        var answer = await CallAsync<Functions.Channels.ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(), ("name", name));
        Assert.Equal(201, answer.Status);
    }

    /// <summary>Two nodes and channels ch1 and ch2, one led by each.</summary>
    public async Task WithTwoNodesAsync()
    {
        // In this order: n1 leads the metadata, so that of both it would be the last to be given ch1.
        await AddNodeAsync("n1");
        await AddChannelAsync("ch1");
        await AddNodeAsync("n2");
        await AddChannelAsync("ch2");
    }

    /// <summary>Puts a configuration in force as if it had been for long.</summary>
    public Task PutInForceAsync(Configuration configuration) => Configurations.ApplyAsync(
        Guid.NewGuid().ToString("N"), s => s with { Meta = s.Meta with { Configuration = configuration, ForceUpdated = false } }, CancellationToken.None);

    /// <summary>Two nodes, two channels, and cluster "a" as the source.</summary>
    public async Task WithSourceAsync()
    {
        await WithTwoNodesAsync();
        await PutInForceAsync(Clusters.AToB);
    }

    /// <summary>Calls an HTTP function, as the host's adapter would.</summary>
    public Task<Answer> CallAsync<TFunction>(Func<TFunction, HttpRequest, Task<IResult>> call, object? body = null, params (string Name, string Value)[] route)
        where TFunction : notnull => CallAsync(call, body, query: null, route);

    public Task<Answer> CallAsync<TFunction>(Func<TFunction, HttpRequest, Task<IResult>> call, object? body, string? query, params (string Name, string Value)[] route)
        where TFunction : notnull => CallAsync(call, body, query, bearer: null, route);

    public async Task<Answer> CallAsync<TFunction>(Func<TFunction, HttpRequest, Task<IResult>> call, object? body, string? query, string? bearer, params (string Name, string Value)[] route)
        where TFunction : notnull
    {
        await using var scope = _services.CreateAsyncScope();
        var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        context.Request.Scheme = "http";
        context.Request.Host = new HostString("127.0.0.1", 7071);
        context.Request.QueryString = new QueryString(query);
        context.Request.Headers.Authorization = bearer is null ? default : $"Bearer {bearer}";
        foreach (var (name, value) in route)
        {
            context.Request.RouteValues[name] = value;
        }

        if (body is not null)
        {
            var bytes = body as byte[] ?? JsonSerializer.SerializeToUtf8Bytes(body, body.GetType(), BatonJson.Options);
            context.Request.Body = new MemoryStream(bytes);
            context.Request.ContentLength = bytes.Length;
        }

        using var answer = new MemoryStream();
        context.Response.Body = answer;
        IResult result;
        try
        {
            result = await call(scope.ServiceProvider.GetRequiredService<TFunction>(), context.Request);
        }
        catch (ApiException e)
        {
            result = ProblemResult.From(e);
        }

        await result.ExecuteAsync(context);
        return new Answer(context.Response.StatusCode, System.Text.Encoding.UTF8.GetString(answer.ToArray()));
    }

    /// <summary>Runs a function that is no HTTP function.</summary>
    public async Task<TResult> RunAsync<TFunction, TResult>(Func<TFunction, Task<TResult>> call)
        where TFunction : notnull
    {
        await using var scope = _services.CreateAsyncScope();
        return await call(scope.ServiceProvider.GetRequiredService<TFunction>());
    }

    /// <summary><c>PUT /api/replicate-configuration</c>.</summary>
    public Task<Answer> UpdateAsync(Configuration? configuration, bool force = false, int waitMs = 30_000, bool dryRun = false) =>
        CallAsync<ReplicateConfigurationUpdate>((f, r) => f.RunAsync(r, Engine, default), new UpdateReplicateConfigurationRequest(configuration, force, waitMs, dryRun));

    /// <summary>One run of the operation sweep.</summary>
    public Task SweepAsync() => RunAsync<OperationSweep, bool>(async f =>
    {
        await f.RunAsync(new TimerInfo(false), Engine, default);
        return true;
    });

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        await _services.DisposeAsync();
    }
}

/// <summary>Configurations of the tests: a has ch1 and ch2 as x1 and x2.</summary>
internal static class Clusters
{
    public static ReplicateCluster A { get; } = new("a", "http://a.example:7071", ["x1", "x2"]);

    public static ReplicateCluster B { get; } = new("b", "http://b.example:7171", ["ch1", "ch2"]);

    public static ReplicateCluster C { get; } = new("c", "http://c.example:7271", ["y1", "y2"]);

    public static Configuration AToB { get; } = new([A, B], new ReplicateTopology([new ReplicateEdge("a", "b")]));

    public static Configuration BToA { get; } = new([A, B], new ReplicateTopology([new ReplicateEdge("b", "a")]));

    public static Configuration AToBAndC { get; } = new([A, B, C], new ReplicateTopology([new ReplicateEdge("a", "b"), new ReplicateEdge("a", "c")]));

    public static Configuration BAlone { get; } = new([B]);
}

/// <summary>Counts the calls to a storage service by verb and path, and can fail them.</summary>
internal sealed class CallCounter : HttpPipelinePolicy
{
    private readonly Lock _lock = new();
    private readonly List<string> _calls = [];

    /// <summary>Runs before each call.</summary>
    public Func<string, Task>? Before { get; set; }

    /// <summary>Answers a call in the service's stead with an error of this status; null lets it through.</summary>
    public Func<string, int?> Refuse { get; set; } = _ => null;

    /// <summary>Lets a call through and loses its answer: an error of this status takes its place.</summary>
    public Func<string, int?> LoseAnswer { get; set; } = _ => null;

    public void Clear()
    {
        lock (_lock)
        {
            _calls.Clear();
        }
    }

    /// <summary>The calls since the last <see cref="Clear"/>: verb and table.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException();

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var path = message.Request.Uri.ToUri().AbsolutePath.Split('/')[^1];
        var call = $"{message.Request.Method.Method} {path.Split('(')[0]}";
        if (Before is { } before)
        {
            await before(call);
        }

        lock (_lock)
        {
            _calls.Add(call);
        }

        if (Refuse(call) is { } refused)
        {
            message.Response = new ErrorResponse(refused);
            return;
        }

        await ProcessNextAsync(message, pipeline);
        if (LoseAnswer(call) is { } lost)
        {
            message.Response = new ErrorResponse(lost);
        }
    }

    private sealed class ErrorResponse(int status) : Response
    {
        public override int Status => status;

        public override bool IsError => true;

        public override string ReasonPhrase => "not now";

        public override Stream? ContentStream { get; set; }

        public override string ClientRequestId { get; set; } = string.Empty;

        public override void Dispose()
        {
        }

        protected override bool ContainsHeader(string name) => false;

        protected override IEnumerable<HttpHeader> EnumerateHeaders() => [];

        protected override bool TryGetHeader(string name, [NotNullWhen(true)] out string? value)
        {
            value = null;
            return false;
        }

        protected override bool TryGetHeaderValues(string name, [NotNullWhen(true)] out IEnumerable<string>? values)
        {
            values = null;
            return false;
        }
    }
}
