using System.Reflection;
using System.Text.Json;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>One orchestration, what a client does to it, and what must come of it: an entry of <c>scenarios.json</c>.</summary>
/// <param name="Name">Its name, and the id of its instance.</param>
/// <param name="Covers">What it is there for.</param>
/// <param name="Orchestrator">The orchestrator, there in C# and in JavaScript.</param>
/// <param name="Input">Its input; absent for none.</param>
/// <param name="Steps">What the client does, in order.</param>
/// <param name="Status">How the instance must end.</param>
/// <param name="Output">Its output; absent when it is not told beforehand.</param>
/// <param name="Failure">Why it fails, as <see cref="FailureText"/> says it.</param>
/// <param name="CustomStatus">Its last custom status; absent for none.</param>
/// <param name="Histories">The whole normal form by worker, where the two must differ.</param>
public sealed record Scenario(
    string Name,
    string Covers,
    string Orchestrator,
    JsonElement Input,
    IReadOnlyList<ClientStep>? Steps,
    string Status,
    JsonElement Output,
    string? Failure,
    JsonElement CustomStatus,
    IReadOnlyDictionary<string, string[]>? Histories)
{
    /// <summary>All of them, by name.</summary>
    public static IReadOnlyDictionary<string, Scenario> All { get; } =
        JsonSerializer.Deserialize<Scenario[]>(File.ReadAllText(Path.Combine(Folder, "scenarios.json")), JsonSerializerOptions.Web)!
            .ToDictionary(scenario => scenario.Name, StringComparer.Ordinal);

    /// <summary>Where the scenarios and the peer are; the project file writes it into the assembly.</summary>
    public static string Folder => typeof(Scenario).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "ConformanceFolder").Value!;
}

/// <summary>One thing a client does.</summary>
/// <param name="Do">waitForCustomStatus, waitForStatus, waitForEvent, raise, raiseMany, suspend, resume or terminate.</param>
/// <param name="To">What follows the scenario's name in the id of the instance meant; absent for its own instance.</param>
/// <param name="Event">The event's name.</param>
/// <param name="Payload">Its payload; absent for none.</param>
/// <param name="Count">How many events; each carries its number, from 0.</param>
/// <param name="Value">What is waited for.</param>
/// <param name="Reason">Why it is terminated.</param>
public sealed record ClientStep(string Do, string? To, string? Event, JsonElement Payload, int Count, JsonElement Value, string? Reason);
