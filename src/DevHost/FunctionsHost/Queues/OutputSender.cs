using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.FunctionsHost.Invocations;
using Baton.DevHost.Orchestrations;

namespace Baton.DevHost.FunctionsHost.Queues;

/// <summary>Sends what a function put into its queue outputs. A failure fails the invocation, so that a queue trigger sees its message again.</summary>
internal sealed class OutputSender(LocalQueues queues)
{
    public async Task SendAsync(FunctionDefinition function, FunctionAnswer answer, CancellationToken cancellationToken)
    {
        foreach (var output in function.QueueOutputs)
        {
            foreach (var body in OutputValue.Messages(answer.Outputs[output.Binding], output.Binary))
            {
                try
                {
                    await queues.SendAsync(output.Queue, body, cancellationToken);
                }
                catch (Exception e) when (StorageRetry.IsStorageFault(e) && !cancellationToken.IsCancellationRequested)
                {
                    throw new InvocationFailedException($"The output '{output.Binding}' of {function.Name} could not be sent to '{output.Queue}': {StorageRetry.Reason(e)}", e);
                }
            }
        }
    }
}
