using Azure.Storage.Blobs;
using Baton.DevHost.FunctionsHost.Apps;
using Baton.DevHost.Orchestrations;
using Baton.Storage.Tables;

namespace Baton.DevHost.FunctionsHost.DurableTriggers;

/// <summary>Opens the orchestration engine for an app.</summary>
internal static class TaskHub
{
    /// <summary>An engine that is not started yet; null for an app without orchestrators and activities.</summary>
    public static OrchestrationEngine? Open(FunctionApp app, FunctionsHostOptions options, IOrchestrationInvoker invoker, TimeProvider time, ILoggerFactory loggers)
    {
        if (!app.Functions.Any(f => f.Trigger is OrchestrationTrigger or ActivityTrigger))
        {
            return null;
        }

        var defaults = new OrchestrationEngineOptions { HubName = options.HubName };
        var engine = defaults with
        {
            DefaultVersion = app.Manifest.Durable.DefaultVersion,
            MaxConcurrentActivityFunctions = app.Manifest.Durable.MaxConcurrentActivities ?? defaults.MaxConcurrentActivityFunctions,
            MaxConcurrentOrchestratorFunctions = app.Manifest.Durable.MaxConcurrentOrchestrators ?? defaults.MaxConcurrentOrchestratorFunctions,
        };
        return new OrchestrationEngine(new TableServiceClient(options.StorageConnectionString), new BlobServiceClient(options.StorageConnectionString), engine, invoker, time, loggers);
    }
}
