using Baton.Core.Api;

namespace Baton.Gateway.Forwarding;

/// <summary>How an attempt ended: with the answer to pass on, or with what came in between.</summary>
internal readonly record struct AttemptResult(NodeAnswer? Answer, Setback? Setback)
{
    public static AttemptResult Of(NodeAnswer answer) => new(answer, null);

    public static AttemptResult Of(RetryReason reason, string detail, LeaderHint? hint = null) => new(null, new Setback(reason, detail, hint));
}

/// <summary>Why an attempt brought no answer that the client is to see.</summary>
/// <param name="Reason">The kind.</param>
/// <param name="Detail">For the report, the log, and the client in the end.</param>
/// <param name="Hint">With <see cref="RetryReason.NotLeader"/>: who leads, where the node knows.</param>
internal sealed record Setback(RetryReason Reason, string Detail, LeaderHint? Hint);
