using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Runs the turns of instances that have something new: takes their messages, calls the orchestrator, commits what it decided, settles it.</summary>
internal sealed class TurnPump(
    HubStore store,
    InstanceDirectory directory,
    TurnCommit commit,
    Settlement settlement,
    TimerQueue timers,
    ChannelReader<LiveInstance> ready,
    IOrchestrationInvoker invoker,
    OrchestrationEngineOptions options,
    StorageRetry retry,
    TimeProvider time,
    ILogger log)
{
    // Each turn carries the whole history and replays all of it, so that few large turns cost less than many small ones: what came during a turn is taken by the next
    // one together. The bounds keep a commit to a dozen pages, and a terminate from waiting behind more than this.
    private const int MaxMessages = 5_000;
    private const long MaxMessageBytes = 4 * 1024 * 1024;
    private static readonly TimeSpan CrowdedWait = TimeSpan.FromMilliseconds(50);

    /// <summary>One runner.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        await foreach (var instance in ready.ReadAllAsync(ct))
        {
            if (await RunGuardedAsync(instance, ct) is { } delay)
            {
                timers.Add(time.GetUtcNow() + delay, () => instance.Rest(again: true));
            }
            else
            {
                // An execution that has no history yet has its first turn to come, whether or not there is a message.
                instance.Rest(again: !instance.Removed.IsCompleted && !instance.Record.IsFinished && !instance.Record.HasHistory);
            }
        }
    }

    /// <returns>How long to wait before the same turn is done again; null when it is done.</returns>
    private async Task<TimeSpan?> RunGuardedAsync(LiveInstance instance, CancellationToken ct)
    {
        try
        {
            try
            {
                var wait = await RunTurnAsync(instance, ct);
                instance.Faults = 0;
                return wait;
            }
            catch (Exception e) when (!ct.IsCancellationRequested && StorageRetry.IsStorageFault(e))
            {
                await retry.TakeAsync($"A turn of instance '{instance.Id}'", e, ct);
                await retry.UntilDoneAsync($"Reading instance '{instance.Id}'", token => directory.ReloadAsync(instance, afterFault: true, token), ct);
                return StorageRetry.Delay(instance.Faults++);
            }
        }
        catch (DamagedInstanceException e)
        {
            await settlement.FailDamagedAsync(instance, e, ct);
            return null;
        }
        catch (ValueTooLargeException e)
        {
            // Not even the end of the instance fits behind what its turn was told.
            await settlement.FailDamagedAsync(instance, new DamagedInstanceException(instance.Id, e.Message, e), ct);
            return null;
        }
    }

    private async Task<TimeSpan?> RunTurnAsync(LiveInstance instance, CancellationToken ct)
    {
        if (instance.Removed.IsCompleted)
        {
            // A timer or an activity that nobody waits for any more.
            instance.SetRemoved();
            return null;
        }

        // It was dropped to save memory, or the instance is new here.
        var history = (instance.IsStale ? null : instance.History) ?? await directory.ReloadAsync(instance, afterFault: instance.IsStale, ct);
        if (history is null)
        {
            return null;
        }

        if (instance.NeedsSettling)
        {
            instance.NeedsSettling = false;
            await settlement.SettleAllAsync(instance, history, ct);
        }

        if (instance.NeedsSettling)
        {
            // It was read again meanwhile: the history at hand is no longer the one of its row.
            return TimeSpan.Zero;
        }

        // There may be room for activities now that there was none for before.
        settlement.Dispatch(instance, history);
        if (instance.Record.IsFinished)
        {
            return null;
        }

        if (await IsCrowdedAsync(instance, ct))
        {
            return CrowdedWait;
        }

        return await BeginAsync(instance, history, ct) is { } turn ? await FinishAsync(instance, turn, ct) : null;
    }

    /// <summary>Whether the instance row has no room for what a turn may add to it: rows named there must be dealt with first.</summary>
    private async Task<bool> IsCrowdedAsync(LiveInstance instance, CancellationToken ct)
    {
        if (instance.Record.ConsumedChars > InstanceRecord.MaxConsumedChars / 2)
        {
            await settlement.CleanAsync(instance, ct);
        }

        return instance.Record.ConsumedChars > InstanceRecord.MaxConsumedChars / 2 || instance.Record.Detached.Count >= DetachedActivities.MaxGroups;
    }

    private async Task<TimeSpan?> FinishAsync(LiveInstance instance, Turn turn, CancellationToken ct)
    {
        var decision = await DecideAsync(turn, ct);
        if (decision.Redelivery is { } reason)
        {
            if (instance.Redeliveries++ < options.MaxRedeliveries)
            {
                log.LogWarning("A turn of instance {InstanceId} is delivered again: {Reason}.", instance.Id, reason);
                return StorageRetry.Delay(instance.Redeliveries);
            }

            decision = TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", $"The turn was delivered {options.MaxRedeliveries + 1} times: {reason}."));
        }

        instance.Redeliveries = 0;
        IReadOnlyList<DetachedGroup> detached;
        try
        {
            detached = await commit.CommitAsync(instance, turn, decision, ct);
        }
        catch (ValueTooLargeException e)
        {
            decision = TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", e.Message));
            detached = await commit.CommitAsync(instance, turn, decision, ct);
        }

        await settlement.SettleAsync(instance, turn.Record.ExecutionId, turn.History, decision.Scheduled, detached, ct);
        return null;
    }

    private async Task<Turn?> BeginAsync(LiveInstance instance, ExecutionHistory history, CancellationToken ct)
    {
        var record = instance.Record;
        var (taken, completed) = (new List<Message>(), new HashSet<int>());
        foreach (var message in instance.Take(new TurnBounds(MaxMessages, MaxMessageBytes, InstanceRecord.MaxConsumedChars - record.ConsumedChars)))
        {
            // History gets each completion once: of this execution, of something still open, and not twice in one turn.
            var isStale = ExecutionHistory.CompletedId(message.Event) is { } id
                && (!string.Equals(message.ExecutionId, record.ExecutionId, StringComparison.Ordinal) || !history.Open.ContainsKey(id) || !completed.Add(id));
            if (!isStale)
            {
                taken.Add(message);
            }
        }

        if (taken.Count == 0 && record.HasHistory)
        {
            instance.ForgetTaken();
            return null;
        }

        var at = Latest([time.GetUtcNow(), history.LastTimestamp, .. taken.Where(m => m.Event.TimerFired is not null).Select(m => m.Event.TimerFired.FireAt.ToDateTimeOffset())]);
        var newEvents = new List<HistoryEvent> { new() { EventId = -1, Timestamp = at.ToTimestamp(), OrchestratorStarted = new OrchestratorStartedEvent() } };
        if (!record.HasHistory)
        {
            newEvents.Add(OrchestratorTurn.Started(record, await store.TextAsync(record.Id, record.Input, ct), at.ToTimestamp()));
            if (record.Carried is not null)
            {
                var carried = await store.BytesAsync(record.Id, record.Carried, ct);
                newEvents.AddRange(DamagedInstanceException.Guard(record.Id, "What was carried over", () => EventPage.Read(carried)));
            }
        }

        newEvents.AddRange(taken.Select(m => m.Event));
        return new Turn(record, history, newEvents, taken, at);
    }

    private async Task<TurnDecision> DecideAsync(Turn turn, CancellationToken ct)
    {
        var name = turn.Record.Name;
        if (!invoker.HasOrchestrator(name))
        {
            return TurnDecision.Fail(PlatformFailures.UnknownOrchestrator(name));
        }

        try
        {
            var response = await invoker.InvokeOrchestratorAsync(name, OrchestratorTurn.Request(turn.Record.Id, turn.History, turn.NewEvents, options.DefaultVersion), ct);
            var decision = OrchestratorTurn.Read(response, turn.History, turn.At.ToTimestamp());
            return turn.History.SizeBytes <= options.MaxHistoryBytes
                ? decision
                : TurnDecision.Fail(PlatformFailures.Of("System.InvalidOperationException", $"The history has grown beyond {options.MaxHistoryBytes} bytes. Use continue-as-new."));
        }
        catch (InvocationFailedException e) when (e.IsTimeout && !ct.IsCancellationRequested)
        {
            return new TurnDecision([], Redelivery: $"it took longer than the function timeout ({e.Message})");
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // The platform's harsh rule: whatever went wrong with the call, the instance has failed for good.
            log.LogError(e, "A turn of instance {InstanceId} of orchestrator {Orchestrator} failed; the instance fails.", turn.Record.Id, name);
            return TurnDecision.Fail(PlatformFailures.Invocation(name, e));
        }
    }

    private static DateTimeOffset Latest(IEnumerable<DateTimeOffset> times) => times.Max();
}
