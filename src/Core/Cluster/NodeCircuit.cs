namespace Baton.Core.Cluster;

/// <summary>
/// Whether calls to a node are worth trying: after failures in a row they are not, for a while, so that what goes through all nodes is not held up by dead ones. A value, kept where all
/// instances of the control plane read it; a failover never asks it.
/// <para>Closed: calls go through. Open: none does, for <see cref="OpenFor"/>. Then half-open: one call is tried; its success closes the circuit, its failure opens it for twice as long.</para>
/// </summary>
/// <param name="Failures">Times of the latest failures while it is closed (at most one fewer than open it).</param>
/// <param name="OpenedAt">When it was opened last; null while it is closed.</param>
/// <param name="OpenFor">How long it stays open from then.</param>
/// <param name="TriedAt">When the one call of its half-open time was begun; null before.</param>
public sealed record NodeCircuit(IReadOnlyList<DateTimeOffset> Failures, DateTimeOffset? OpenedAt = null, TimeSpan OpenFor = default, DateTimeOffset? TriedAt = null)
{
    /// <summary>So many failures within <see cref="Window"/> open it.</summary>
    public const int FailuresToOpen = 3;

    /// <summary>See <see cref="FailuresToOpen"/>.</summary>
    public static TimeSpan Window { get; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it is open the first time.</summary>
    public static TimeSpan FirstOpenFor { get; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest that it stays open.</summary>
    public static TimeSpan LongestOpenFor { get; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the one call of a half-open circuit holds others back: longer than such a call may take, so that its caller has died meanwhile.</summary>
    public static TimeSpan TryFor { get; } = TimeSpan.FromSeconds(10);

    /// <summary>A closed circuit: what a node has that has none.</summary>
    public static NodeCircuit Closed { get; } = new([]);

    /// <summary>Whether a call may be tried now.</summary>
    public bool Allows(DateTimeOffset now) => OpenedAt is not { } at || !(Within(at, OpenFor, now) || (TriedAt is { } tried && Within(tried, TryFor, now)));

    /// <summary>The circuit once the call that <see cref="Allows"/> allowed is begun; to be kept before the call where other callers could begin one as well. The same object while it is closed.</summary>
    public NodeCircuit Tried(DateTimeOffset now) => OpenedAt is not null && Allows(now) ? this with { TriedAt = now } : this;

    /// <summary>The circuit after a call failed.</summary>
    public NodeCircuit Failed(DateTimeOffset now)
    {
        if (OpenedAt is { } at)
        {
            // A call that was begun before it opened says nothing new.
            return Within(at, OpenFor, now) ? this : this with { OpenedAt = now, OpenFor = OpenFor * 2 < LongestOpenFor ? OpenFor * 2 : LongestOpenFor, TriedAt = null };
        }

        IReadOnlyList<DateTimeOffset> failures = [.. Failures.Where(f => Within(f, Window, now)), now];
        return failures.Count < FailuresToOpen ? this with { Failures = failures } : new NodeCircuit([], now, FirstOpenFor);
    }

    /// <summary>The circuit after a call succeeded: closed, however it was.</summary>
    public NodeCircuit Succeeded() => Failures.Count == 0 && OpenedAt is null ? this : Closed;

    // Either side of it: where the clock was set back, nothing holds for longer than it would have.
    private static bool Within(DateTimeOffset since, TimeSpan time, DateTimeOffset now) => (now - since).Duration() < time;
}
