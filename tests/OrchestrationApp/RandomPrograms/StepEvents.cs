namespace Baton.OrchestrationApp.RandomPrograms;

/// <summary>The names of the events that programs send.</summary>
public static class StepEvents
{
    private const string SelfPrefix = "self ";
    private const string CarriedPrefix = "carried ";

    /// <summary>Whether it is an event that an instance sends itself, once.</summary>
    public static bool IsToSelf(string name) =>
        name is not null && (name.StartsWith(SelfPrefix, StringComparison.Ordinal) || name.StartsWith(CarriedPrefix, StringComparison.Ordinal));

    /// <summary>By <see cref="TellSelf"/>.</summary>
    internal static string Self(string scope, string key) => $"{SelfPrefix}{scope}{key}";

    /// <summary>What a generation gets from the one before.</summary>
    internal static string Carried(int generation) => $"{CarriedPrefix}{generation}";

    /// <summary>What a child sends its parent, once an attempt.</summary>
    internal static string Told(string childScope) => $"told {childScope}";
}
