using System.Text.Json;
using Baton.DevHost.FunctionsHost;
using Baton.DevHost.Orchestrations;
using Baton.DevHost.Tests.FunctionsHost;
using Baton.Durable;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>DevHost's Functions host with its engine, over an app whose worker runs the scenarios; steered through the management API, as any client does.</summary>
internal sealed class EngineDriver : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly DevHost.FunctionsHost.FunctionsHost _host;
    private readonly HttpClient _http = new() { Timeout = Patience };
    private readonly HttpDurableTaskClient _client;

    private EngineDriver(DevHost.FunctionsHost.FunctionsHost host)
    {
        _host = host;
        _client = new HttpDurableTaskClient(_http, new Uri(host.BaseAddress, ManagementApi.BasePath), $"code={HostUnderTest.Keys.System}");
    }

    public static async Task<EngineDriver> StartAsync(string appRoot, string storage) => new(await DevHost.FunctionsHost.FunctionsHost.StartAsync(
        new FunctionsHostOptions { AppRoot = appRoot, StorageConnectionString = storage, HubName = "conformance", Keys = HostUnderTest.Keys },
        NullLoggerFactory.Instance,
        CancellationToken.None));

    public async Task<Observation> PlayAsync(Scenario scenario)
    {
        using var patience = new CancellationTokenSource(Patience);
        var id = await _client.ScheduleNewOrchestrationInstanceAsync(
            scenario.Orchestrator, Given(scenario.Input), new StartOrchestrationOptions(scenario.Name), patience.Token);
        foreach (var step in scenario.Steps ?? [])
        {
            await DoAsync(id, step, patience.Token);
        }

        var ended = await UntilAsync(id, "it has ended", instance => instance.IsCompleted, patience.Token);
        var instances = new List<InstanceHistory>();
        await CollectAsync(id, instances, patience.Token);
        return new Observation(ended.RuntimeStatus.ToString(), ended.SerializedOutput, ended.SerializedCustomStatus, instances);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
    }

    private Task DoAsync(string rootId, ClientStep step, CancellationToken cancellation)
    {
        var id = rootId + step.To;
        return step.Do switch
        {
            "waitForCustomStatus" => UntilAsync(id, $"its custom status is {step.Value}", instance => HasCustomStatus(instance, step.Value), cancellation),
            "waitForStatus" => UntilAsync(id, $"it is {step.Value}", instance => instance.RuntimeStatus.ToString() == step.Value.GetString(), cancellation),
            "waitForEvent" => UntilInHistoryAsync(id, Enum.Parse<HistoryEvent.EventTypeOneofCase>(step.Value.GetString()!), cancellation),
            "raise" => _client.RaiseEventAsync(id, step.Event!, Given(step.Payload), cancellation),
            "raiseMany" => RaiseManyAsync(id, step, cancellation),
            "suspend" => _client.SuspendInstanceAsync(id, reason: null, cancellation),
            "resume" => _client.ResumeInstanceAsync(id, reason: null, cancellation),
            "terminate" => _client.TerminateInstanceAsync(id, step.Reason, cancellation),
            _ => throw new InvalidOperationException($"Unknown step '{step.Do}'."),
        };
    }

    private async Task RaiseManyAsync(string id, ClientStep step, CancellationToken cancellation)
    {
        for (var i = 0; i < step.Count; i++)
        {
            await _client.RaiseEventAsync(id, step.Event!, i, cancellation);
        }
    }

    private async Task UntilInHistoryAsync(string id, HistoryEvent.EventTypeOneofCase kind, CancellationToken cancellation)
    {
        while (!(await _host.Engine!.Instances.HistoryAsync(id, cancellation)).Any(e => e.EventTypeCase == kind))
        {
            await Task.Delay(Poll, cancellation);
        }
    }

    private async Task<OrchestrationMetadata> UntilAsync(string id, string what, Func<OrchestrationMetadata, bool> holds, CancellationToken cancellation)
    {
        OrchestrationMetadata? instance = null;
        try
        {
            while (true)
            {
                instance = await _client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellation);
                if (instance is not null && holds(instance))
                {
                    return instance;
                }

                // Asking is the only way to learn of it.
                await Task.Delay(Poll, cancellation);
            }
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"'{id}' is {instance}, and not within {Patience.TotalSeconds} s: {what}", e);
        }
    }

    private async Task CollectAsync(string id, List<InstanceHistory> instances, CancellationToken cancellation)
    {
        var events = await _host.Engine!.Instances.HistoryAsync(id, cancellation);
        instances.Add(new InstanceHistory(id, events));
        foreach (var child in events.Select(e => e.SubOrchestrationInstanceCreated).OfType<SubOrchestrationInstanceCreatedEvent>())
        {
            await CollectAsync(child.InstanceId, instances, cancellation);
        }
    }

    private static bool HasCustomStatus(OrchestrationMetadata instance, JsonElement value) =>
        PayloadText.Canonical(instance.SerializedCustomStatus) == PayloadText.Canonical(value.GetRawText());

    private static JsonElement? Given(JsonElement json) => json.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null : json;
}
