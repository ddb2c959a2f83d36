namespace Baton.Node.Leadership;

/// <content>What it says to whoever runs it.</content>
internal sealed partial class Membership
{
    // Whoever starts nodes as child processes waits for this line.
    [LoggerMessage(Level = LogLevel.Information, Message = "Baton node listening on {Address}")]
    private static partial void LogListening(ILogger log, Uri address);

    [LoggerMessage(Level = LogLevel.Information, Message = "Node {NodeId} joined as incarnation {Incarnation} with {Assignments} assignments")]
    private static partial void LogJoined(ILogger log, string nodeId, long incarnation, int assignments);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} could not join: {Reason}; again in {DelayMs} ms")]
    private static partial void LogJoinFailed(ILogger log, string nodeId, string reason, int delayMs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Node {NodeId} closes its channels and joins again: {Reason}")]
    private static partial void LogRejoining(ILogger log, string nodeId, string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Node {NodeId} ends: it owns nothing any more of what it owned, and has waited {SilentMs} ms for a join or a heartbeat to succeed (Node:RejoinTimeoutMs is {RejoinTimeoutMs}); the last one: {Reason}. Exit code {ExitCode}")]
    private static partial void LogLost(ILogger log, string nodeId, long silentMs, int rejoinTimeoutMs, string reason, int exitCode);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Heartbeat of node {NodeId} failed: {Reason}")]
    private static partial void LogBeatFailed(ILogger log, string nodeId, string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Node {NodeId} ends: an operator has removed it from its cluster ({Answer}). It hands over what it serves and does not join again; started anew it is a new node. Exit code {ExitCode}")]
    private static partial void LogRemoved(ILogger log, string nodeId, string answer, int exitCode);
}
