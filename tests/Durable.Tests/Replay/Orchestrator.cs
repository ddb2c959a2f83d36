using Google.Protobuf;
using Microsoft.DurableTask.Protobuf;
using Microsoft.Extensions.Logging;

namespace Baton.Durable.Tests.Replay;

/// <summary>Orchestrator code under test, run through the runner's bytes.</summary>
/// <param name="code">The code.</param>
/// <param name="loggers">Where it and its turns log.</param>
/// <param name="blockingGrace">How long it may block its thread; without end when null, so that no test depends on speed.</param>
internal sealed class Orchestrator(Func<TaskOrchestrationContext, Task<object?>> code, ILoggerFactory? loggers = null, TimeSpan? blockingGrace = null)
{
    /// <summary>A turn whose events are all new.</summary>
    public OrchestratorResponse FirstTurn(params HistoryEvent[] news) => NextTurn([], news);

    public OrchestratorResponse NextTurn(IEnumerable<HistoryEvent> past, params HistoryEvent[] news)
    {
        var request = new OrchestratorRequest { InstanceId = Happened.InstanceId };
        request.PastEvents.AddRange(past);
        request.NewEvents.AddRange(news);
        return Run(request);
    }

    public OrchestratorResponse Run(OrchestratorRequest request, CancellationToken stopping = default)
    {
        string answer = OrchestrationRunner.Run(
            Convert.ToBase64String(request.ToByteArray()),
            name => string.Equals(name, "Main", StringComparison.Ordinal) ? code : null,
            loggers,
            blockingGrace ?? TimeSpan.FromMinutes(5),
            stopping);
        OrchestratorResponse response = OrchestratorResponse.Parser.ParseFrom(Convert.FromBase64String(answer));
        Assert.Equal(request.InstanceId, response.InstanceId);
        Assert.Equal(response.Actions.Select(action => action.Id).Order(), response.Actions.Select(action => action.Id));
        return response;
    }
}

internal static class Outcome
{
    public static CompleteOrchestrationAction Completion(this OrchestratorResponse response)
    {
        OrchestratorAction last = Assert.Single(response.Actions, action => action.CompleteOrchestration is not null);
        return last.CompleteOrchestration;
    }

    public static string? Output(this OrchestratorResponse response)
    {
        CompleteOrchestrationAction completion = response.Completion();
        Assert.True(completion.OrchestrationStatus is OrchestrationStatus.Completed, completion.ToString());
        return completion.Result;
    }

    public static Microsoft.DurableTask.Protobuf.TaskFailureDetails Failure(this OrchestratorResponse response)
    {
        CompleteOrchestrationAction completion = response.Completion();
        Assert.Equal(OrchestrationStatus.Failed, completion.OrchestrationStatus);
        return completion.FailureDetails;
    }

    /// <summary>The turn asks for these activities, each written as <c>id:name(input)</c>.</summary>
    public static void Asks(this OrchestratorResponse response, params string[] activities)
    {
        IEnumerable<string> asked = response.Actions
            .Where(action => action.ScheduleTask is not null)
            .Select(action => $"{action.Id}:{action.ScheduleTask.Name}({action.ScheduleTask.Input})");
        Assert.Equal(activities, asked, StringComparer.Ordinal);
    }

    /// <summary>The turn was not run, or is not to count: the host is to run it again.</summary>
    public static void AsksForTheSameTurnAgain(this OrchestratorResponse response)
    {
        Assert.Equal("System.OutOfMemoryException", response.Failure().InnerFailure?.ErrorType);
        Assert.Single(response.Actions);
    }

    /// <summary>The turn asks for nothing: what was asked for before is still awaited.</summary>
    public static void IsWaiting(this OrchestratorResponse response) => Assert.Empty(response.Actions);
}
