using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>Failures that the platform itself reports, in its words: an app that reads them must find here what it will find in Azure.</summary>
internal static class PlatformFailures
{
    /// <summary>A function was called and failed. What it answered is lost.</summary>
    public static TaskFailureDetails Invocation(string function, Exception cause) => new()
    {
        ErrorType = "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
        ErrorMessage = $"Exception while executing function: Functions.{function}",
        InnerFailure = new TaskFailureDetails
        {
            ErrorType = cause is InvocationFailedException ? "System.Net.Http.HttpRequestException" : cause.GetType().FullName ?? "System.Exception",
            ErrorMessage = cause.Message,
        },
    };

    public static TaskFailureDetails UnknownOrchestrator(string function) => new()
    {
        ErrorType = "System.InvalidOperationException",
        ErrorMessage = $"The function '{function}' doesn't exist, is disabled, or is not an orchestrator function.",
        IsNonRetriable = true,
    };

    public static TaskFailureDetails InstanceExists(string instanceId) => new()
    {
        ErrorType = "DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException",
        ErrorMessage = $"An orchestration with the instance id '{instanceId}' is running already.",
        IsNonRetriable = true,
    };

    public static TaskFailureDetails Of(string errorType, string message) => new() { ErrorType = errorType, ErrorMessage = message };

    /// <summary>How a client sees a failure as an instance's output.</summary>
    public static string Render(TaskFailureDetails details) => $"{details.ErrorType}: {details.ErrorMessage}";
}
