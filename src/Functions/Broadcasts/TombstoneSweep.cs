using Baton.Core.Broadcasts;
using Baton.Functions.Hosting;

namespace Baton.Functions.Broadcasts;

/// <summary>
/// Collects tombstones by age and count, oldest first. A run is bounded; what is left goes in the next. Two at once, or one that is lost: each transaction removes
/// some and remembers them, or does nothing.
/// </summary>
internal sealed class TombstoneSweep(BroadcastStore broadcasts, TombstoneStore tombstones, TombstoneOptions options, TimeProvider time, ILogger<TombstoneSweep> logger)
{
    /// <summary>Tombstones that one run removes at most.</summary>
    public const int MaxPerRun = 1_800;

    private const int ReadsAtOnce = 15;

    /// <summary>One run. Every five minutes: a table that holds some more for so long costs nothing.</summary>
    [Function("TombstoneSweep")]
    public async Task RunAsync([TimerTrigger("0 */5 * * * *")] TimerInfo timer, CancellationToken cancellationToken)
    {
        // No more than count and run allow for need be known: the oldest come first.
        var ended = await tombstones.ListAsync(options.MaxCount + MaxPerRun, cancellationToken);
        var removed = 0;
        foreach (var batch in TombstoneRule.Collect(ended, options.MaxAge, options.MaxCount, TombstoneOptions.LeastAge, time.GetUtcNow()).Take(MaxPerRun).Chunk(TombstoneStore.MaxBatch))
        {
            var tasks = await ReadAsync(batch, cancellationToken);
            if (tasks.Count > 0 && !await tombstones.RemoveAsync(tasks, cancellationToken))
            {
                // Another run is at it.
                break;
            }

            removed += tasks.Count;
        }

        if (removed > 0)
        {
            logger.LogInformation("{Count} tombstones of broadcasts are collected", removed);
        }
    }

    private async Task<IReadOnlyList<StoredBroadcast>> ReadAsync(IReadOnlyList<long> ids, CancellationToken cancellationToken)
    {
        var tasks = new List<StoredBroadcast>();
        foreach (var some in ids.Chunk(ReadsAtOnce))
        {
            tasks.AddRange((await Task.WhenAll(some.Select(id => broadcasts.ReadAsync(id, cancellationToken)))).OfType<StoredBroadcast>());
        }

        return [.. tasks.Where(t => t.Task.State is BroadcastState.Tombstone or BroadcastState.Done)];
    }
}
