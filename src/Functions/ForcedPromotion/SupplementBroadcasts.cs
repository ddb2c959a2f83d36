using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Cluster;
using Baton.Core.Replication;
using Baton.Functions.Broadcasts;
using Baton.Functions.Channels;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Operations;
using Baton.Functions.ReplicateConfiguration;
using Baton.Functions.Topology;

namespace Baton.Functions.ForcedPromotion;

/// <summary>The next broadcasts of a promotion's plan.</summary>
/// <param name="OperationId">The promotion.</param>
/// <param name="From">How many of the plan are done.</param>
/// <param name="LastMissing">What an earlier round waited for, for the step's text.</param>
internal sealed record ChunkToSupplement(string OperationId, int From, string? LastMissing = null);

/// <summary>How far a supplement is.</summary>
/// <param name="Done">How many of the plan are done: all before are tombstones.</param>
/// <param name="Missing">What is missing for the next, in words; null when nothing was.</param>
internal sealed record SupplementProgress(int Done, string? Missing = null);

/// <summary>
/// Activity, second part of step 4 of a promotion: one round with the next broadcasts of the plan, at most <see cref="MaxBroadcasts"/>. In this order, each idempotent:
/// <list type="number">
/// <item>stale changes of configuration are marked ignored, and that is stored, before anything of the round is appended;</item>
/// <item>what is missing is appended under the broadcasts' own ids: on a channel one after the other in the order of ids, channels beside each other, at most
/// <see cref="MaxCalls"/> calls under way. Where an append fails, nothing more goes to that channel in this round, so no channel gets a later broadcast before an earlier one;</item>
/// <item>acks, callbacks and tombstones, in the order of ids: a broadcast behind one that is missing somewhere keeps its acks and waits. Rows that follow each other are written in
/// one transaction, and a broadcast without a callback has one write for all three. A crash before it repeats appends that answer from the log, and a callback that finds its own write.</item>
/// </list>
/// No locks are taken: every broadcast needs the cluster at least shared, and the promotion holds it alone. Callbacks do not wait for their turn here
/// (<see cref="CallbackOrder"/>): what they would wait for is what this completes. A copy for a channel that this cluster does not have is not waited for: the old primary grew, and this cluster had yet to.
/// </summary>
internal sealed class SupplementBroadcasts(
    OperationStore operations,
    BroadcastStore broadcasts,
    ChannelControl channels,
    ClusterStateStore states,
    ConfigurationCallback callback,
    TimeProvider time,
    ILogger<SupplementBroadcasts> logger)
{
    /// <summary>Broadcasts of a round: few enough that a round stays far below the host's time limit, enough that thousands take a short history.</summary>
    public const int MaxBroadcasts = 100;

    /// <summary>Appends under way at once.</summary>
    public const int MaxCalls = 16;

    // What one round keeps in memory.
    private const long MaxPayloadBytes = 16 * 1024 * 1024;

    /// <summary>Does one round.</summary>
    [Function(nameof(SupplementBroadcasts))]
    public async Task<SupplementProgress> RunAsync([ActivityTrigger] ChunkToSupplement chunk, CancellationToken cancellationToken)
    {
        var plan = await operations.ReadNoteAsync<SupplementPlan>(chunk.OperationId, PlanSupplement.NoteName, cancellationToken)
            ?? throw new InvalidOperationException($"Promotion {chunk.OperationId} has no plan to supplement.");
        var (steps, open) = await ReadAsync([.. plan.Steps.Skip(chunk.From).Take(MaxBroadcasts)], cancellationToken);
        open = await MarkIgnoredAsync(steps, open, cancellationToken);

        // Read once for all: a leader that has changed since is looked up again by the append that meets it.
        var state = (await states.ReadAsync(cancellationToken)).State;
        var lanes = await AppendAsync(chunk.OperationId, open, state, cancellationToken);
        var incomplete = await StoreAsync(steps, open, lanes, state, cancellationToken);

        var done = chunk.From + steps.TakeWhile(s => s.BroadcastId != incomplete).Count();
        var missing = incomplete is null ? null : StepText.List([.. lanes.Select(l => l.Failure).OfType<string>()]);
        var tail = missing is not null ? $"; waiting for {missing}" : chunk.LastMissing is not null ? $"; last waited for {chunk.LastMissing}" : null;
        await operations.RecordStepAsync(
            chunk.OperationId, PromotionSteps.Supplement, nameof(PromotionSteps.Supplement),
            string.Create(CultureInfo.InvariantCulture, $"{done} of {plan.Steps.Count} broadcasts{tail}"), cancellationToken);
        return new SupplementProgress(done, missing);
    }

    // The steps of this round, and the tasks among them that are not done.
    private async Task<(IReadOnlyList<SupplementedBroadcast> Steps, IReadOnlyList<StoredBroadcast> Open)> ReadAsync(IReadOnlyList<SupplementedBroadcast> steps, CancellationToken cancellationToken)
    {
        var open = new List<StoredBroadcast>();
        var payloadBytes = 0L;
        var read = 0;
        foreach (var some in steps.Chunk(MaxCalls))
        {
            foreach (var stored in await Task.WhenAll(some.Select(s => broadcasts.ReadAsync(s.BroadcastId, cancellationToken))))
            {
                // One that is not there was done by an earlier attempt, and collected since.
                if (stored is { Task.State: BroadcastState.Pending or BroadcastState.Replicated })
                {
                    open.Add(stored);
                    payloadBytes += stored.Task.Message.Payload?.Length ?? 0;
                }
            }

            read += some.Length;
            if (payloadBytes > MaxPayloadBytes)
            {
                break;
            }
        }

        return ([.. steps.Take(read)], open);
    }

    private async Task<IReadOnlyList<StoredBroadcast>> MarkIgnoredAsync(IReadOnlyList<SupplementedBroadcast> steps, IReadOnlyList<StoredBroadcast> open, CancellationToken cancellationToken)
    {
        var stale = steps.Where(s => s.MarkIgnored).Select(s => s.BroadcastId).ToHashSet();
        var marks = open.Where(o => stale.Contains(o.Task.BroadcastId)).Select(o => new BroadcastChange(o, BroadcastRules.MarkIgnored)).ToList();
        if (marks.Count == 0)
        {
            return open;
        }

        await broadcasts.UpdateAsync(marks, cancellationToken);
        return await Task.WhenAll(open.Select(async o => stale.Contains(o.Task.BroadcastId) ? (await broadcasts.ReadAsync(o.Task.BroadcastId, cancellationToken))! : o));
    }

    private async Task<IReadOnlyList<Lane>> AppendAsync(string operationId, IReadOnlyList<StoredBroadcast> open, ClusterState state, CancellationToken cancellationToken)
    {
        var lanes = open
            .SelectMany(o => o.Task.PendingVChannels.Select(v => new MissingCopy(o.Task, v)))
            .Where(m => HasChannel(state, m.VChannel))
            .GroupBy(m => VChannels.ChannelOf(m.VChannel), StringComparer.Ordinal)
            .Select(g => new Lane([.. g]))
            .ToList();
        await Parallel.ForEachAsync(
            lanes,
            new ParallelOptions { MaxDegreeOfParallelism = MaxCalls, CancellationToken = cancellationToken },
            async (lane, ct) => await AppendAsync(operationId, lane, state, ct));
        return lanes;
    }

    private async Task AppendAsync(string operationId, Lane lane, ClusterState state, CancellationToken cancellationToken)
    {
        foreach (var (task, vchannel) in lane.Missing)
        {
            try
            {
                var response = await channels.AppendAsync(task.BroadcastId, vchannel, task.Message, cancellationToken, state);
                lane.Acks.Add((task.BroadcastId, vchannel, response.Ack));
            }
            catch (Exception e) when (e is NodeCallException or ApiException)
            {
                lane.Failure = string.Create(CultureInfo.InvariantCulture, $"{vchannel} (broadcast {task.BroadcastId}, {lane.Missing.Count - lane.Acks.Count} missing on its channel): {e.Message}");
                logger.LogWarning("Promotion {OperationId}: broadcast {BroadcastId} could not be appended to {VChannel}: {Reason} (forceUpdate=true)", operationId, task.BroadcastId, vchannel, e.Message);
                return;
            }
        }
    }

    // Answers the first broadcast that is still incomplete.
    private async Task<long?> StoreAsync(IReadOnlyList<SupplementedBroadcast> steps, IReadOnlyList<StoredBroadcast> open, IReadOnlyList<Lane> lanes, ClusterState state, CancellationToken cancellationToken)
    {
        var acks = lanes.SelectMany(l => l.Acks).ToLookup(a => a.BroadcastId, a => (a.VChannel, a.Ack));
        var now = time.GetUtcNow();
        long? incomplete = null;
        var changes = new List<BroadcastChange>();
        var finished = new List<BroadcastTask>();
        foreach (var stored in open)
        {
            BroadcastTask Acked(BroadcastTask task) => acks[task.BroadcastId].Aggregate(task, (t, a) => BroadcastRules.Ack(t, t.BroadcastId, a.VChannel, a.Ack, t.Message, now));
            BroadcastTask Finished(BroadcastTask task) => Acked(task) is var acked && IsDelivered(acked, state) ? BroadcastRules.Tombstone(acked, now) : acked;

            var acked = Acked(stored.Task);
            if (!IsDelivered(acked, state))
            {
                PromotionMetrics.SupplementFailed(acked.Message.Kind);
            }

            if (incomplete is not null || !IsDelivered(acked, state))
            {
                incomplete ??= acked.BroadcastId;
                changes.Add(new BroadcastChange(stored, Acked));
                continue;
            }

            if (ConfigurationCallback.HasWork(acked))
            {
                await broadcasts.UpdateAsync(changes, cancellationToken);
                changes.Clear();
                await callback.RunAsync(stored with { Task = acked }, cancellationToken);
            }

            changes.Add(new BroadcastChange(stored, Finished));
            finished.Add(acked);
        }

        await broadcasts.UpdateAsync(changes, cancellationToken);
        var planned = steps.ToDictionary(s => s.BroadcastId, s => s.VChannels);
        finished.Where(BroadcastRules.AllAcked).ToList().ForEach(t => PromotionMetrics.Supplemented(t.Message.Kind, planned[t.BroadcastId]));
        return incomplete;
    }

    private static bool IsDelivered(BroadcastTask task, ClusterState state) =>
        task.State is BroadcastState.Pending or BroadcastState.Replicated && !task.PendingVChannels.Any(v => HasChannel(state, v));

    private static bool HasChannel(ClusterState state, string vchannel) => state.HasPChannel(VChannels.ChannelOf(vchannel));

    private sealed record MissingCopy(BroadcastTask Task, string VChannel);

    // One channel's appends; only the one task that works it writes to it.
    private sealed class Lane(IReadOnlyList<MissingCopy> missing)
    {
        public IReadOnlyList<MissingCopy> Missing { get; } = missing;

        public List<(long BroadcastId, string VChannel, BroadcastAck Ack)> Acks { get; } = [];

        public string? Failure { get; set; }
    }
}
