using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Starts sub-orchestrations, each once, and tells parents what became of them.</summary>
internal sealed class SubOrchestrations(HubStore store, InstanceDirectory directory, StorageRetry retry, TimeProvider time)
{
    /// <summary>Starts a child, or finds the one that was started before; one that has ended gives its end to the parent again.</summary>
    /// <param name="parent">Who waits.</param>
    /// <param name="executionId">Its execution.</param>
    /// <param name="created">The event that asked for it.</param>
    /// <param name="isRepeat">Whether it may have been started before.</param>
    /// <param name="ct">The engine stops.</param>
    public async Task StartAsync(LiveInstance parent, string executionId, HistoryEvent created, bool isRepeat, CancellationToken ct)
    {
        var child = created.SubOrchestrationInstanceCreated;
        var link = new ParentLink(parent.Id, parent.Record.Name, executionId, created.EventId);
        await retry.UntilDoneAsync($"Starting sub-orchestration '{child.InstanceId}'", Start, ct);

        async Task Start(CancellationToken token)
        {
            if (string.Equals(child.InstanceId, parent.Id, StringComparison.Ordinal))
            {
                parent.Post(Completion(link, failure: PlatformFailures.InstanceExists(child.InstanceId)));
                return;
            }

            if (directory.Live(child.InstanceId) is { Record: { IsFinished: true } finishing } && finishing.Parent == link)
            {
                // Its own turn, which may need this runner, tells the parent.
                return;
            }

            InstanceRecord? present = null;
            using (await directory.LockAsync(child.InstanceId, token))
            {
                if (isRepeat)
                {
                    present = await directory.FindAsync(child.InstanceId, token);
                }

                isRepeat = true;
                if (present is null || (present.IsFinished && present.Parent != link))
                {
                    present = await directory.CreateAsync(new NewInstance(child.InstanceId, child.Name, child.Version, child.Input, link), token);
                }
            }

            if (present is null)
            {
                return;
            }

            if (present.Parent != link)
            {
                parent.Post(Completion(link, failure: PlatformFailures.InstanceExists(child.InstanceId)));
            }
            else if (present.IsSettled)
            {
                parent.Post(await CompletionAsync(present, token));
            }
            else if (await directory.FindLiveAsync(child.InstanceId, token) is null)
            {
                // An engine that does not know yet that it lost the hub has settled it since it was read.
                await Start(token);
            }
        }
    }

    /// <summary>What the parent learns of a child that has ended.</summary>
    public async Task<Message> CompletionAsync(InstanceRecord child, CancellationToken ct)
    {
        try
        {
            if (child.Status == OrchestrationStatus.Completed)
            {
                return Completion(child.Parent!, await store.TextAsync(child.Id, child.Output, ct));
            }

            var failure = child.Failure is null ? null : await store.BytesAsync(child.Id, child.Failure, ct);
            var details = failure is null ? null : DamagedInstanceException.Guard(child.Id, "Its failure", () => TaskFailureDetails.Parser.ParseFrom(failure));
            return Completion(child.Parent!, failure: details, hasFailed: true);
        }
        catch (DamagedInstanceException e)
        {
            return Completion(child.Parent!, failure: PlatformFailures.Of(typeof(InvalidDataException).FullName!, e.Message));
        }
    }

    private Message Completion(ParentLink link, string? result = null, TaskFailureDetails? failure = null, bool hasFailed = false)
    {
        var completed = new HistoryEvent { EventId = -1, Timestamp = time.GetUtcNow().ToTimestamp() };
        if (hasFailed || failure is not null)
        {
            completed.SubOrchestrationInstanceFailed = new SubOrchestrationInstanceFailedEvent { TaskScheduledId = link.TaskId, FailureDetails = failure };
        }
        else
        {
            completed.SubOrchestrationInstanceCompleted = new SubOrchestrationInstanceCompletedEvent { TaskScheduledId = link.TaskId, Result = result };
        }

        return new Message(completed, RowKey: null, link.ExecutionId);
    }
}
