using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Tests.Conformance;

/// <summary>What came of a scenario.</summary>
/// <param name="Status">How the instance ended.</param>
/// <param name="Output">JSON text, or plain text of one that did not complete.</param>
/// <param name="CustomStatus">JSON text.</param>
/// <param name="Instances">The instance, then its children, each followed by its own.</param>
internal sealed record Observation(string Status, string? Output, string? CustomStatus, IReadOnlyList<InstanceHistory> Instances);

/// <summary>The history of an instance's last execution.</summary>
internal sealed record InstanceHistory(string Id, IReadOnlyList<HistoryEvent> Events);

/// <summary>Which worker ran the code.</summary>
/// <param name="Name">As in <c>scenarios.json</c>.</param>
/// <param name="FirstId">The id of the first thing that its code asks for.</param>
/// <param name="UsesEnvelopes">Whether the host sees its activities' results in Baton's envelope.</param>
internal sealed record WorkerKind(string Name, int FirstId, bool UsesEnvelopes)
{
    /// <summary>Baton's worker.</summary>
    public static WorkerKind Baton { get; } = new("baton", FirstId: 0, UsesEnvelopes: true);

    /// <summary>The peer's worker beside its backend.</summary>
    public static WorkerKind Peer { get; } = new("js", FirstId: 1, UsesEnvelopes: false);

    /// <summary>The peer's worker behind a Functions host.</summary>
    public static WorkerKind PeerHandler { get; } = new("js", FirstId: 1, UsesEnvelopes: true);
}
