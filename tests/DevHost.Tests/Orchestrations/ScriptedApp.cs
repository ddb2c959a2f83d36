using System.Collections.Concurrent;
using System.Text.Json;
using Baton.Core.Api;
using Baton.DevHost.Orchestrations;
using Baton.Durable;

namespace Baton.DevHost.Tests.Orchestrations;

/// <summary>An app in process: orchestrators on the real worker, activities as delegates.</summary>
public sealed class ScriptedApp : IOrchestrationInvoker
{
    private readonly Dictionary<string, Func<string, string>> _orchestrators = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Func<string?, CancellationToken, Task<object?>>> _activities = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, int> _calls = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>An orchestrator written as in the app.</summary>
    public ScriptedApp Orchestrator(string name, Func<TaskOrchestrationContext, Task<object?>> code) =>
        RawOrchestrator(name, request => OrchestrationRunner.Run(request, wanted => string.Equals(wanted, name, StringComparison.OrdinalIgnoreCase) ? code : null));

    /// <summary>An orchestrator of which the test writes the answers.</summary>
    public ScriptedApp RawOrchestrator(string name, Func<string, string> answer)
    {
        _orchestrators[name] = answer;
        return this;
    }

    public ScriptedApp Activity<TIn>(string name, Func<TIn?, CancellationToken, Task<object?>> code)
    {
        _activities[name] = (input, ct) => code(input is null ? default : JsonSerializer.Deserialize<TIn>(input, BatonJson.Options), ct);
        return this;
    }

    public ScriptedApp Activity<TIn>(string name, Func<TIn?, object?> code) => Activity<TIn>(name, (input, _) => Task.FromResult(code(input)));

    /// <summary>Holds the turns of an orchestrator: its code itself may not wait.</summary>
    public Func<string, Task> BeforeTurn { get; set; } = _ => Task.CompletedTask;

    /// <summary>How often a function was called.</summary>
    public int Calls(string name) => _calls.GetValueOrDefault(name);

    public bool HasOrchestrator(string name) => _orchestrators.ContainsKey(name);

    public bool HasActivity(string name) => _activities.ContainsKey(name);

    public async Task<string> InvokeOrchestratorAsync(string name, string base64Request, CancellationToken ct)
    {
        _calls.AddOrUpdate(name, 1, (_, n) => n + 1);
        await BeforeTurn(name);
        return await Task.Run(() => _orchestrators[name](base64Request), ct);
    }

    public async Task<string?> InvokeActivityAsync(string name, string instanceId, string? inputJson, CancellationToken ct)
    {
        _calls.AddOrUpdate(name, 1, (_, n) => n + 1);
        try
        {
            return JsonSerializer.Serialize(ActivityEnvelope.Ok(await _activities[name](inputJson, ct)), BatonJson.Options);
        }
        catch (Exception e) when (e is not (InvocationFailedException or OperationCanceledException))
        {
            return JsonSerializer.Serialize(ActivityEnvelope.Failed(e), BatonJson.Options);
        }
    }
}
