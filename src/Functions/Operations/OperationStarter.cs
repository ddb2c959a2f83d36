using Baton.Core.Operations;
using Baton.Durable;

namespace Baton.Functions.Operations;

/// <summary>
/// Starts workflows. The operation row comes first and is what counts; the orchestration instance of its present attempt comes second.
/// A crash between the two leaves an operation without an instance: the next request for the same work starts it, and so does
/// <see cref="OperationSweep"/>. The instance id alone could not guard the start, since the engine replaces a finished instance silently.
/// </summary>
internal sealed class OperationStarter(OperationStore operations, ILogger<OperationStarter> logger)
{
    /// <summary>Work that failed or was terminated runs again when it is asked for again; work that succeeded does not.</summary>
    public static bool UnlessSucceeded(OperationStatus status) => status != OperationStatus.Succeeded;

    /// <summary>Work that runs again whenever it is asked for.</summary>
    public static bool Always(OperationStatus status) => true;

    /// <summary>Asks for an operation and sees to it that its present attempt is at work.</summary>
    /// <param name="client">The engine.</param>
    /// <param name="id">Its id; the same work must get the same id, so that a second request joins the first.</param>
    /// <param name="kind">Name of its orchestration.</param>
    /// <param name="input">Input of its orchestration.</param>
    /// <param name="reopen">Which finished operations run again.</param>
    /// <param name="cancellationToken">Gives up. A caller whose disconnect must not matter passes none.</param>
    public async Task<OperationHead> RequestAsync<T>(
        DurableTaskClient client,
        string id,
        string kind,
        T input,
        Func<OperationStatus, bool> reopen,
        CancellationToken cancellationToken)
    {
        var head = await operations.RequestAsync(id, kind, input, reopen, cancellationToken);
        if (!head.Running)
        {
            return head;
        }

        if (head.Requests == 1)
        {
            await StartAsync(client, head, input, cancellationToken);
        }
        else if (await client.GetInstanceAsync(head.InstanceId, getInputsAndOutputs: false, cancellationToken) is null)
        {
            await StartAgainAsync(client, head, cancellationToken);
        }

        return head;
    }

    /// <summary>Starts the present attempt of an operation from its stored input.</summary>
    public async Task StartAgainAsync(DurableTaskClient client, OperationHead head, CancellationToken cancellationToken) =>
        await StartAsync(client, head, await operations.ReadInputAsync(head.Id, cancellationToken), cancellationToken);

    private async Task StartAsync(DurableTaskClient client, OperationHead head, object? input, CancellationToken cancellationToken)
    {
        try
        {
            await client.ScheduleNewOrchestrationInstanceAsync(new TaskName(head.Kind), input, new StartOrchestrationOptions(head.InstanceId), cancellationToken);
            logger.LogInformation("Operation {OperationId}: attempt {Attempt} of {Kind} started", head.Id, head.Attempt, head.Kind);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            logger.LogInformation("Operation {OperationId}: attempt {Attempt} is at work already", head.Id, head.Attempt);
        }
    }
}
