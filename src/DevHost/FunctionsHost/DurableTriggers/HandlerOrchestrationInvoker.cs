using System.Text.Json;
using System.Text.Json.Nodes;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.DurableTriggers;

/// <summary>Calls the app's orchestrators and activities for the engine, in the Durable extension's encoding.</summary>
internal sealed class HandlerOrchestrationInvoker : IOrchestrationInvoker
{
    private readonly Dictionary<string, FunctionDefinition> _orchestrators;
    private readonly Dictionary<string, FunctionDefinition> _activities;
    private readonly FunctionInvoker _invoker;
    private readonly FunctionInputs _inputs;

    public HandlerOrchestrationInvoker(FunctionApp app, FunctionInvoker invoker, FunctionInputs inputs)
    {
        _invoker = invoker;
        _inputs = inputs;
        _orchestrators = app.Functions.Where(f => f.Trigger is OrchestrationTrigger).ToDictionary(f => ((OrchestrationTrigger)f.Trigger).Orchestrator, StringComparer.OrdinalIgnoreCase);
        _activities = app.Functions.Where(f => f.Trigger is ActivityTrigger).ToDictionary(f => ((ActivityTrigger)f.Trigger).Activity, StringComparer.OrdinalIgnoreCase);
    }

    public bool HasOrchestrator(string name) => _orchestrators.ContainsKey(name);

    public bool HasActivity(string name) => _activities.ContainsKey(name);

    public async Task<string> InvokeOrchestratorAsync(string name, string base64Request, CancellationToken ct)
    {
        var function = Find(_orchestrators, name);
        var data = _inputs.Values(function);
        data[function.Trigger.Binding] = Envelope.Value(base64Request);
        var answer = await InvokeAsync(function, data, [], ct);
        return answer.ReturnValue is JsonValue value && value.GetValueKind() == JsonValueKind.String && value.GetValue<string>() is { Length: > 0 } response
            ? response
            : throw new InvocationFailedException($"The orchestrator {name} returned no base64 text: an orchestrator's ReturnValue is its response, and never empty.");
    }

    public async Task<string?> InvokeActivityAsync(string name, string instanceId, string? inputJson, CancellationToken ct)
    {
        var function = Find(_activities, name);
        var data = _inputs.Values(function);

        // The trigger's value is the JSON text, a string; the rule then quotes it once more.
        data[function.Trigger.Binding] = Envelope.Value(inputJson);
        var answer = await InvokeAsync(function, data, Metadata(instanceId, inputJson), ct);
        return answer.ReturnValue?.ToJsonString(Envelope.Json);
    }

    // A host that stops gives its calls up. That is no failure of the function: the engine is stopped next, and the next engine calls again.
    private async Task<FunctionAnswer> InvokeAsync(FunctionDefinition function, JsonObject data, JsonObject metadata, CancellationToken ct)
    {
        try
        {
            return await _invoker.InvokeAsync(function, data, metadata, ct);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, ct);
            throw;
        }
    }

    private static JsonObject Metadata(string instanceId, string? inputJson)
    {
        var metadata = new JsonObject { ["instanceId"] = Envelope.Value(instanceId) };
        if (inputJson is not null)
        {
            metadata["data"] = JsonNode.Parse(inputJson) is { } input ? Envelope.Value(input) : null;
            Envelope.Inject(metadata, inputJson);
        }

        return metadata;
    }

    private static FunctionDefinition Find(Dictionary<string, FunctionDefinition> functions, string name) =>
        functions.TryGetValue(name, out var function) ? function : throw new InvocationFailedException($"The app has no function '{name}' of this kind.");
}
