using Baton.Durable.Replay;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Baton.Durable;

/// <summary>Runs a turn of an orchestration: the Durable extension's request in, the response out.</summary>
public static class OrchestrationRunner
{
    // Far above what a lock of a logger takes, far below the host's patience with a turn.
    private static readonly TimeSpan BlockingGrace = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Runs one turn, synchronously, on the calling thread. Whatever the orchestrator's code does, there is an answer: a failure of the
    /// code, an unknown name or a history that does not fit the code fails the orchestration, with details. A process that runs out of
    /// memory or is stopping asks for the same turn again instead; a request that lacks its history is answered by asking for that.
    /// </summary>
    /// <param name="base64Request">The <c>OrchestratorRequest</c>, in base64.</param>
    /// <param name="find">The orchestrator of a name, or null when there is none.</param>
    /// <param name="loggerFactory">Makes the loggers of orchestrators and of the runner.</param>
    /// <param name="stopping">
    /// Cancelled when the process stops. A turn that comes later is not run, and one that fails meanwhile may have failed of it.
    /// </param>
    /// <returns>The <c>OrchestratorResponse</c>, in base64; never empty.</returns>
    /// <exception cref="FormatException">The request is not base64.</exception>
    /// <exception cref="InvalidProtocolBufferException">The request is not an <c>OrchestratorRequest</c>.</exception>
    public static string Run(
        string base64Request,
        Func<string, Func<TaskOrchestrationContext, Task<object?>>?> find,
        ILoggerFactory? loggerFactory = null,
        CancellationToken stopping = default)
        => Run(base64Request, find, loggerFactory, BlockingGrace, stopping);

    /// <summary>As the public method, with another limit to how long the code may block the turn's thread.</summary>
    internal static string Run(
        string base64Request,
        Func<string, Func<TaskOrchestrationContext, Task<object?>>?> find,
        ILoggerFactory? loggerFactory,
        TimeSpan blockingGrace,
        CancellationToken stopping)
    {
        ArgumentNullException.ThrowIfNull(base64Request);
        ArgumentNullException.ThrowIfNull(find);
        OrchestratorRequest? request = null;
        try
        {
            request = OrchestratorRequest.Parser.ParseFrom(Convert.FromBase64String(base64Request));
            if (LacksHistory(request))
            {
                return Encode(new OrchestratorResponse { InstanceId = request.InstanceId, RequiresHistory = true });
            }

            if (stopping.IsCancellationRequested)
            {
                return Encode(OrchestrationFailure.RunAgain(request.InstanceId, "The process is stopping."));
            }

            var turn = new OrchestrationTurn(request, find, loggerFactory ?? NullLoggerFactory.Instance, blockingGrace);
            OrchestratorResponse response = turn.Run();
            bool isOfTheProcess = turn.Failure is OutOfMemoryException || (turn.Failure is not null && stopping.IsCancellationRequested);
            return Encode(isOfTheProcess ? OrchestrationFailure.RunAgain(request.InstanceId, "The process is stopping or out of memory.") : response);
        }
        catch (OutOfMemoryException)
        {
            // Outside the code: a large history, or a large answer.
            return Encode(OrchestrationFailure.RunAgain(request?.InstanceId ?? string.Empty, "The process is out of memory."));
        }
    }

    private static string Encode(OrchestratorResponse response) => Convert.ToBase64String(response.ToByteArray());

    // An extended session: the host trusts the worker to remember the past events. This one keeps nothing between turns.
    private static bool LacksHistory(OrchestratorRequest request)
        => request.Properties.TryGetValue("IncludeState", out Value? includeState)
            && includeState.KindCase is Value.KindOneofCase.BoolValue
            && !includeState.BoolValue;
}
