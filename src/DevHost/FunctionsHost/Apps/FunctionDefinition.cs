using Baton.DevHost.FunctionsHost.Timers;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>One function of the app, as its function.json declares it.</summary>
/// <param name="Name">The folder's name, and the path that the handler is called at.</param>
/// <param name="Trigger">What starts it.</param>
/// <param name="DurableClients">Names of its durableClient inputs.</param>
/// <param name="HttpOutput">Name of its http output; only HTTP functions have one.</param>
/// <param name="QueueOutputs">Its serviceBus outputs.</param>
internal sealed record FunctionDefinition(
    string Name,
    FunctionTrigger Trigger,
    IReadOnlyList<string> DurableClients,
    string? HttpOutput,
    IReadOnlyList<QueueOutput> QueueOutputs)
{
    /// <summary>Exactly one input, the httpTrigger, and exactly one output, http: only such a function may be sent the original request.</summary>
    public bool IsHttpInAndOut => Trigger is HttpTrigger && DurableClients.Count == 0 && QueueOutputs.Count == 0;
}

/// <param name="Binding">The parameter's name in <c>Data</c>.</param>
internal abstract record FunctionTrigger(string Binding);

/// <param name="Binding">The parameter's name.</param>
/// <param name="Route">Route template below the prefix.</param>
/// <param name="Methods">Upper case; empty for every method.</param>
/// <param name="Level">Which key it asks for.</param>
internal sealed record HttpTrigger(string Binding, string Route, IReadOnlyList<string> Methods, KeyLevel Level) : FunctionTrigger(Binding);

/// <param name="Binding">The parameter's name.</param>
/// <param name="Schedule">When it runs, in UTC.</param>
/// <param name="RunOnStartup">Also once when the host starts.</param>
/// <param name="UseMonitor">Whether the function is told the schedule's status.</param>
internal sealed record TimerTrigger(string Binding, CronSchedule Schedule, bool RunOnStartup, bool UseMonitor) : FunctionTrigger(Binding);

/// <param name="Binding">The parameter's name.</param>
/// <param name="Queue">The queue.</param>
/// <param name="Binary">The body arrives as base64 and not as text.</param>
internal sealed record QueueTrigger(string Binding, string Queue, bool Binary) : FunctionTrigger(Binding);

/// <param name="Binding">The parameter's name.</param>
/// <param name="Orchestrator">The orchestrator's name.</param>
internal sealed record OrchestrationTrigger(string Binding, string Orchestrator) : FunctionTrigger(Binding);

/// <param name="Binding">The parameter's name.</param>
/// <param name="Activity">The activity's name.</param>
internal sealed record ActivityTrigger(string Binding, string Activity) : FunctionTrigger(Binding);

/// <param name="Binding">The name in <c>Outputs</c>.</param>
/// <param name="Queue">Where it goes.</param>
/// <param name="Binary">Strings are taken as they are, not tried as base64.</param>
internal sealed record QueueOutput(string Binding, string Queue, bool Binary);

/// <summary>Which key a function asks for.</summary>
internal enum KeyLevel
{
    /// <summary>None.</summary>
    Anonymous,

    /// <summary>The function key or the master key.</summary>
    Function,

    /// <summary>The system key or the master key.</summary>
    System,

    /// <summary>The master key.</summary>
    Admin,
}
