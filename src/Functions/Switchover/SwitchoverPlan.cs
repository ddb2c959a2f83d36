using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Functions.Operations;

namespace Baton.Functions.Switchover;

/// <summary>What a round of a switchover has written to the state.</summary>
/// <param name="At">When (UTC).</param>
/// <param name="Moves">The channels with their new leaders.</param>
internal sealed record SwitchoverPlan(DateTimeOffset At, IReadOnlyList<LeaderMove> Moves);

/// <summary>A round of a switchover: its plan is kept with the operation, since thousands of channels are too much for an orchestration's history.</summary>
/// <param name="OperationId">The operation.</param>
/// <param name="Round">Counted from 0. Only a removal whose node came to lead again has a second.</param>
internal sealed record SwitchoverRound(string OperationId, int Round);

/// <summary>What became of planning.</summary>
/// <param name="Refused">Why it cannot be done; nothing was written.</param>
/// <param name="AlreadyRemoved">Of a removal: the node is no member any more, since an attempt before this one came so far.</param>
internal sealed record Planned(ApiError? Refused = null, bool AlreadyRemoved = false);

/// <summary>The notes that hold the plans.</summary>
internal static class SwitchoverPlans
{
    /// <summary>The plan of a round, if this run of the operation has made it.</summary>
    public static async Task<SwitchoverPlan?> ReadPlanAsync(this OperationStore operations, SwitchoverRound round, CancellationToken cancellationToken) =>
        await operations.ReadNoteAsync<SwitchoverPlan>(round.OperationId, await NameAsync(operations, round, cancellationToken), cancellationToken);

    /// <summary>Keeps the plan of a round.</summary>
    public static async Task KeepPlanAsync(this OperationStore operations, SwitchoverRound round, SwitchoverPlan plan, CancellationToken cancellationToken) =>
        await operations.KeepNoteAsync(round.OperationId, await NameAsync(operations, round, cancellationToken), plan, cancellationToken);

    // Notes outlive a run, and an operation that is asked for again moves things anew.
    private static async Task<string> NameAsync(OperationStore operations, SwitchoverRound round, CancellationToken cancellationToken)
    {
        var head = await operations.ReadHeadAsync(round.OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {round.OperationId}.");
        return string.Create(CultureInfo.InvariantCulture, $"plan-{head.FirstAttempt}-{round.Round}");
    }
}

/// <summary>The steps' names, the same in code, API, timeline and docs, and their order. Moves, removals and rebalances share them.</summary>
internal static class SwitchoverSteps
{
    /// <summary>Of a move: gives the channel its new leader. Of a rebalance: counts what is to move.</summary>
    public const int Plan = 1;

    /// <summary>Of a removal: gives everything that the node leads to others.</summary>
    public const int Drain = 1;

    /// <summary>Of a rebalance: moves copies.</summary>
    public const int Copies = 2;

    /// <summary>Of a rebalance: gives channels their new leaders.</summary>
    public const int Leaders = 3;

    /// <summary>Tells the new leaders.</summary>
    public const int Open = 4;

    /// <summary>Waits until they say that they lead.</summary>
    public const int Confirm = 5;

    /// <summary>Of a removal: waits until what the node has copies of is in sync elsewhere.</summary>
    public const int Replicas = 6;

    /// <summary>Of a removal: ends the membership.</summary>
    public const int Remove = 7;

    /// <summary>Reports.</summary>
    public const int Report = 8;
}
