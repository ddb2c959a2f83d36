using System.Globalization;
using Baton.Functions.Operations;

namespace Baton.Functions.Rebalance;

/// <summary>How much was to move when a rebalance began.</summary>
/// <param name="Copies">Copies.</param>
/// <param name="Leaders">Leaderships.</param>
internal sealed record RebalanceCounts(int Copies, int Leaders)
{
    /// <summary>Both.</summary>
    public int Left => Copies + Leaders;
}

/// <summary>Somebody wants it to end.</summary>
internal sealed record CancelNote(DateTimeOffset At);

/// <summary>The cluster's one rebalance, and what is noted with it. Notes outlive a run: each names the run that it belongs to.</summary>
internal sealed class RebalanceCancellation(OperationStore operations, TimeProvider time)
{
    /// <summary>The one operation.</summary>
    public const string OperationId = "rebalance";

    /// <summary>Asks the present run to end. Null where none is running.</summary>
    public async Task<OperationHead?> CancelAsync(CancellationToken cancellationToken)
    {
        if (await operations.ReadHeadAsync(OperationId, cancellationToken) is not { Running: true } head)
        {
            return null;
        }

        await operations.KeepNoteAsync(OperationId, NoteOf("cancel", head), new CancelNote(time.GetUtcNow()), cancellationToken);
        return head;
    }

    /// <summary>Whether the present run is to end.</summary>
    public async Task<bool> IsAskedForAsync(CancellationToken cancellationToken) =>
        await operations.ReadNoteAsync<CancelNote>(OperationId, NoteOf("cancel", await HeadAsync(cancellationToken)), cancellationToken) is not null;

    /// <summary>What the present run was to move; the first count stays.</summary>
    public async Task<RebalanceCounts> KeepCountsAsync(RebalanceCounts counts, CancellationToken cancellationToken) =>
        await operations.KeepNoteAsync(OperationId, NoteOf("rebalance", await HeadAsync(cancellationToken)), counts, cancellationToken);

    private async Task<OperationHead> HeadAsync(CancellationToken cancellationToken) =>
        await operations.ReadHeadAsync(OperationId, cancellationToken) ?? throw new InvalidOperationException($"There is no operation {OperationId}.");

    private static string NoteOf(string what, OperationHead head) => string.Create(CultureInfo.InvariantCulture, $"{what}-{head.FirstAttempt}");
}
