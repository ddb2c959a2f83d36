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
    /// <summary>
    /// Runs one turn, synchronously, on the calling thread. Whatever the orchestrator's code does, there is an answer:
    /// a failure of the code, an unknown name or a history that does not fit the code fails the orchestration, with details.
    /// </summary>
    /// <param name="base64Request">The <c>OrchestratorRequest</c>, in base64.</param>
    /// <param name="find">The orchestrator of a name, or null when there is none.</param>
    /// <param name="loggerFactory">Makes the loggers of orchestrators and of the runner.</param>
    /// <returns>The <c>OrchestratorResponse</c>, in base64; never empty.</returns>
    /// <exception cref="FormatException">The request is not base64.</exception>
    /// <exception cref="InvalidProtocolBufferException">The request is not an <c>OrchestratorRequest</c>.</exception>
    public static string Run(
        string base64Request,
        Func<string, Func<TaskOrchestrationContext, Task<object?>>?> find,
        ILoggerFactory? loggerFactory = null)
    {
        ArgumentNullException.ThrowIfNull(base64Request);
        ArgumentNullException.ThrowIfNull(find);
        OrchestratorRequest request = OrchestratorRequest.Parser.ParseFrom(Convert.FromBase64String(base64Request));
        OrchestratorResponse response = LacksHistory(request)
            ? new OrchestratorResponse { InstanceId = request.InstanceId, RequiresHistory = true }
            : new OrchestrationTurn(request, find, loggerFactory ?? NullLoggerFactory.Instance).Run();
        return Convert.ToBase64String(response.ToByteArray());
    }

    // An extended session: the host trusts the worker to remember the past events. This one keeps nothing between turns.
    private static bool LacksHistory(OrchestratorRequest request)
        => request.Properties.TryGetValue("IncludeState", out Value? includeState)
            && includeState.KindCase is Value.KindOneofCase.BoolValue
            && !includeState.BoolValue;
}
