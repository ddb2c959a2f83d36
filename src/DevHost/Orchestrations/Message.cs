using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Something for an instance to learn.</summary>
/// <param name="Event">The history event to be.</param>
/// <param name="RowKey">The row it waits in; null for a completion, which follows from history if it is lost.</param>
/// <param name="ExecutionId">The execution whose task it completes; null when it is for whichever is at work.</param>
internal sealed record Message(HistoryEvent Event, string? RowKey, string? ExecutionId);

/// <summary>What one turn may take at most.</summary>
/// <param name="Count">Messages.</param>
/// <param name="SizeBytes">Their events together; the first is always taken.</param>
/// <param name="KeyChars">The row keys of those that have a row, together.</param>
internal sealed record TurnBounds(int Count, long SizeBytes, int KeyChars);
