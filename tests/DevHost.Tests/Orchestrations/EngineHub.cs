using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using Baton.DevHost.Orchestrations;
using Baton.Storage.Tables;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using EventType = Microsoft.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>A task hub of a test, and the engines that run it one after the other.</summary>
public sealed class EngineHub(string connectionString) : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<OrchestrationEngine> _engines = [];

    public OrchestrationEngineOptions Options { get; init; } = new() { HubName = "TestHub" };

    /// <summary>Starts an engine on this hub; its calls to storage go through <paramref name="storage"/>.</summary>
    public async Task<OrchestrationEngine> StartEngineAsync(IOrchestrationInvoker app, HttpPipelinePolicy? storage = null, OrchestrationEngineOptions? options = null)
    {
        var engine = Engine(app, storage, options);
        await engine.StartAsync(CancellationToken.None);
        return engine;
    }

    /// <summary>An engine that is disposed of with this hub.</summary>
    public OrchestrationEngine Engine(IOrchestrationInvoker app, HttpPipelinePolicy? storage = null, OrchestrationEngineOptions? options = null)
    {
        var tables = new TableClientOptions();
        var blobs = new BlobClientOptions();
        if (storage is not null)
        {
            tables.AddPolicy(storage, HttpPipelinePosition.PerRetry);
            blobs.AddPolicy(storage, HttpPipelinePosition.PerRetry);
            (tables.Retry.MaxRetries, blobs.Retry.MaxRetries) = (0, 0);
        }

        var engine = new OrchestrationEngine(
            new TableServiceClient(connectionString, tables),
            new BlobServiceClient(connectionString, blobs),
            options ?? Options,
            app,
            TimeProvider.System,
            NullLoggerFactory.Instance);
        _engines.Add(engine);
        return engine;
    }

    /// <summary>The hub's table, for tests that look at rows or damage them.</summary>
    public TableClient Table => new TableServiceClient(connectionString).GetTableClient($"{Options.HubName}Instances");

    /// <summary>Waits until a condition holds.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!condition())
        {
            await Task.Delay(5, patience.Token);
        }
    }

    /// <summary>Waits until no instance row says that an engine has something to do for it.</summary>
    public async Task UntilNothingIsOpenAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        while (await Table.QueryAsync<TableEntity>("Open eq true", cancellationToken: patience.Token).AnyAsync(patience.Token))
        {
            await Task.Delay(5, patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var engine in _engines)
        {
            await engine.DisposeAsync();
        }
    }
}

/// <summary>What tests ask of an engine.</summary>
public static class EngineQuestions
{
    public static Task<string> StartAsync(this OrchestrationEngine engine, string name, string? id = null, string? input = null) =>
        engine.Instances.StartAsync(name, id, input, CancellationToken.None);

    /// <summary>Starts an instance and waits for its end.</summary>
    public static async Task<InstanceStatus> RunAsync(this OrchestrationEngine engine, string name, string? input = null) =>
        await engine.EndOfAsync(await engine.StartAsync(name, input: input));

    public static async Task<InstanceStatus> EndOfAsync(this OrchestrationEngine engine, string id)
    {
        var status = await engine.Instances.WaitForCompletionAsync(id, EngineHub.Patience, CancellationToken.None);
        Assert.True(status is { IsFinished: true }, $"'{id}' is {status?.RuntimeStatus ?? "missing"}.");
        return status!;
    }

    /// <summary>Waits until an instance is as wanted.</summary>
    public static async Task<InstanceStatus> UntilAsync(this OrchestrationEngine engine, string id, Func<InstanceStatus, bool> wanted)
    {
        using var patience = new CancellationTokenSource(EngineHub.Patience);
        while (true)
        {
            if (await engine.Instances.GetAsync(id, showInput: true, patience.Token) is { } status && wanted(status))
            {
                return status;
            }

            await Task.Delay(5, patience.Token);
        }
    }

    /// <summary>Checks that history has, for everything that was scheduled, one completion and no more.</summary>
    public static async Task<IReadOnlyList<HistoryEvent>> CompletedOnceAsync(this OrchestrationEngine engine, string id)
    {
        var history = await engine.Instances.HistoryAsync(id, CancellationToken.None);
        var scheduled = history.Where(e => e.EventTypeCase is EventType.TaskScheduled or EventType.TimerCreated or EventType.SubOrchestrationInstanceCreated).Select(e => e.EventId);
        var completed = history.Select(CompletedId).Where(completedId => completedId is not null).Select(completedId => completedId!.Value);
        Assert.Equal(scheduled.Order(), completed.Order());
        return history;
    }

    private static int? CompletedId(HistoryEvent e) => e.EventTypeCase switch
    {
        EventType.TaskCompleted => e.TaskCompleted.TaskScheduledId,
        EventType.TaskFailed => e.TaskFailed.TaskScheduledId,
        EventType.SubOrchestrationInstanceCompleted => e.SubOrchestrationInstanceCompleted.TaskScheduledId,
        EventType.SubOrchestrationInstanceFailed => e.SubOrchestrationInstanceFailed.TaskScheduledId,
        EventType.TimerFired => e.TimerFired.TimerId,
        _ => null,
    };
}
