namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>What one orchestration does.</summary>
/// <param name="Body">Done in every generation.</param>
/// <param name="Generations">Executions, by continue-as-new.</param>
/// <param name="Carries">Whether each generation sends the next an event that it does not take itself.</param>
/// <param name="FailsFirst">Attempts that fail at the end of the body; the parent tries again.</param>
/// <param name="Failure">With what it fails for good; null when it ends well.</param>
public sealed record Plan(Step Body, int Generations = 1, Carrying Carries = Carrying.Never, int FailsFirst = 0, string? Failure = null)
{
    /// <summary>The key of the activity by which the first attempts fail.</summary>
    public const string FailsFirstKey = "first";

    /// <summary>The prefix of all keys of a generation.</summary>
    public string ScopeOf(string scope, int generation) => Generations == 1 ? scope : $"{scope}g{generation}-";
}

/// <summary>When a generation sends the next one an event.</summary>
public enum Carrying
{
    Never,

    /// <summary>Before its body: the event mostly has arrived, unclaimed, when it ends.</summary>
    First,

    /// <summary>In the turn that continues as new.</summary>
    Last,
}

/// <summary>The input of <see cref="ProgramOrchestrator"/>.</summary>
/// <param name="Plan">What to do.</param>
/// <param name="Root">The program's own instance: its effects are kept under this id.</param>
/// <param name="Scope">The prefix of all keys.</param>
/// <param name="TellTo">The instance to tell, if any.</param>
/// <param name="TellFirst">Whether that is done before the body.</param>
/// <param name="Generation">Executions before this one.</param>
/// <param name="SoFar">Their output.</param>
public sealed record ProgramInput(Plan Plan, string Root, string Scope = "", string? TellTo = null, bool TellFirst = false, int Generation = 0, string SoFar = "");
