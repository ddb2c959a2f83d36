using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;

namespace Baton.Durable.Tests.Golden;

/// <summary>A turn whose bytes are kept: what came in, and what this worker answered to it.</summary>
/// <param name="Shows">What the case is there for, for the reader of its file.</param>
/// <param name="Code">The orchestrator.</param>
/// <param name="Request">The history.</param>
internal sealed record GoldenCase(string Shows, Func<TaskOrchestrationContext, Task<object?>> Code, OrchestratorRequest Request)
{
    /// <summary>Runs the turn and answers the response's bytes.</summary>
    /// <remarks>
    /// A failure made in this turn has the stack trace of this build: its lines and paths change with the source. That one is cleared; those
    /// that came with the history stay.
    /// </remarks>
    public byte[] Answer(byte[] request)
    {
        OrchestratorResponse response = OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(OrchestrationRunner.Run(Convert.ToBase64String(request), _ => Code)));
        foreach (OrchestratorAction action in response.Actions)
        {
            if (action.CompleteOrchestration?.FailureDetails is { } failure)
            {
                failure.StackTrace = null;
            }
        }

        return response.ToByteArray();
    }
}
