using System.Globalization;
using System.Text.Json;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>What <c>host.json</c> says, with the real host's defaults filled in.</summary>
/// <param name="RoutePrefix">First segment of every HTTP route, without slashes; may be empty.</param>
/// <param name="FunctionTimeout">How long an invocation may take; <see cref="Timeout.InfiniteTimeSpan"/> for no end.</param>
/// <param name="Queues">The Service Bus extension's settings.</param>
/// <param name="Durable">The Durable extension's settings.</param>
/// <param name="Handler">The handler process.</param>
internal sealed record HostManifest(string RoutePrefix, TimeSpan FunctionTimeout, QueueSettings Queues, DurableSettings Durable, HandlerDescription Handler);

/// <param name="MaxConcurrentCalls">Messages in work at once, for each function.</param>
/// <param name="MaxLockRenewal">How long a message's lock is renewed while its function runs.</param>
internal sealed record QueueSettings(int MaxConcurrentCalls, TimeSpan MaxLockRenewal);

/// <param name="MaxConcurrentActivities">Null: the engine's default.</param>
/// <param name="MaxConcurrentOrchestrators">Null: the engine's default.</param>
/// <param name="DefaultVersion">The version of instances that are started without one.</param>
internal sealed record DurableSettings(int? MaxConcurrentActivities, int? MaxConcurrentOrchestrators, string? DefaultVersion);

/// <param name="Executable">A full path, or a name to be found on PATH.</param>
/// <param name="Arguments">Expanded arguments.</param>
/// <param name="WorkingDirectory">Where it starts.</param>
/// <param name="Port">A fixed port; 0 for a free one at each start.</param>
/// <param name="ForwardsHttp">Plain HTTP functions get the original request.</param>
/// <param name="InitializationTimeout">How long it may take until it answers HTTP.</param>
/// <param name="HasHttpRoutes">It declares <c>http.routes</c>, which excludes function.json.</param>
internal sealed record HandlerDescription(
    string Executable,
    IReadOnlyList<string> Arguments,
    string WorkingDirectory,
    int Port,
    bool ForwardsHttp,
    TimeSpan InitializationTimeout,
    bool HasHttpRoutes);

/// <summary>Reads <c>host.json</c>.</summary>
internal static class HostManifestReader
{
    private static readonly TimeSpan DefaultFunctionTimeout = TimeSpan.FromMinutes(30);

    // Timers of the framework end at 49.7 days.
    private static readonly TimeSpan LongestFunctionTimeout = TimeSpan.FromDays(49);

    public static HostManifest Read(string appRoot, AppSettings settings)
    {
        var path = Path.Combine(appRoot, "host.json");
        if (!File.Exists(path))
        {
            throw new InvalidFunctionAppException($"{path} does not exist: the app folder must be a published function app.");
        }

        var json = AppJson.Read<HostJson>(path);
        if (!string.Equals(json.Version, "2.0", StringComparison.Ordinal))
        {
            throw new InvalidFunctionAppException($"{path}: version must be \"2.0\".");
        }

        var handler = json.CustomHandler?.Description is { DefaultExecutablePath.Length: > 0 }
            ? json.CustomHandler
            : throw new InvalidFunctionAppException($"{path}: customHandler.description.defaultExecutablePath is missing; this host runs custom handlers only.");
        if (handler.EnableProxyingHttpRequest)
        {
            throw new InvalidFunctionAppException($"{path}: customHandler.enableProxyingHttpRequest is not played by this host; use enableForwardingHttpRequest.");
        }

        return new HostManifest(
            (json.Extensions?.Http?.RoutePrefix ?? "api").Trim('/'),
            FunctionTimeout(json.FunctionTimeout, path),
            Queues(json.Extensions?.ServiceBus, path),
            new DurableSettings(json.Extensions?.DurableTask?.MaxConcurrentActivityFunctions, json.Extensions?.DurableTask?.MaxConcurrentOrchestratorFunctions, json.Extensions?.DurableTask?.DefaultVersion),
            Describe(appRoot, handler, settings, path));
    }

    private static QueueSettings Queues(ServiceBusJson? json, string path)
    {
        var calls = json?.MaxConcurrentCalls ?? (16 * Environment.ProcessorCount);
        if (calls < 1)
        {
            throw new InvalidFunctionAppException($"{path}: extensions.serviceBus.maxConcurrentCalls must be 1 or more.");
        }

        return json?.AutoCompleteMessages == false
            ? throw new InvalidFunctionAppException($"{path}: extensions.serviceBus.autoCompleteMessages must be true: a custom handler cannot settle messages itself.")
            : new QueueSettings(calls, Duration(json?.MaxAutoLockRenewalDuration, "extensions.serviceBus.maxAutoLockRenewalDuration", path) ?? TimeSpan.FromMinutes(5));
    }

    private static HandlerDescription Describe(string appRoot, CustomHandlerJson handler, AppSettings settings, string path)
    {
        var executable = settings.Expand(handler.Description!.DefaultExecutablePath!);
        var inApp = Path.Combine(appRoot, executable);
        return new HandlerDescription(
            File.Exists(inApp) ? Path.GetFullPath(inApp) : executable,
            [.. (handler.Description.Arguments ?? []).Select(settings.Expand)],
            Path.GetFullPath(Path.Combine(appRoot, settings.Expand(handler.Description.WorkingDirectory ?? string.Empty))),
            handler.Port,
            handler.EnableForwardingHttpRequest,
            Duration(handler.InitializationTimeout, "customHandler.initializationTimeout", path) ?? TimeSpan.FromSeconds(30),
            handler.Http?.Routes is { Count: > 0 });
    }

    private static TimeSpan FunctionTimeout(string? text, string path)
    {
        if (string.Equals(text, "-1", StringComparison.Ordinal))
        {
            return Timeout.InfiniteTimeSpan;
        }

        var timeout = Duration(text, "functionTimeout", path) ?? DefaultFunctionTimeout;
        return timeout <= LongestFunctionTimeout
            ? timeout
            : throw new InvalidFunctionAppException($"{path}: functionTimeout \"{text}\" is above {LongestFunctionTimeout.TotalDays} days, the longest that this host can time; use \"-1\" for no end.");
    }

    private static TimeSpan? Duration(string? text, string name, string path)
    {
        if (text is null)
        {
            return null;
        }

        return TimeSpan.TryParseExact(text, ["c", "g"], CultureInfo.InvariantCulture, out var value) && value > TimeSpan.Zero
            ? value
            : throw new InvalidFunctionAppException($"{path}: {name} \"{text}\" must be a duration above zero in the form hh:mm:ss.");
    }

    private sealed record HostJson(string? Version, string? FunctionTimeout, ExtensionsJson? Extensions, CustomHandlerJson? CustomHandler);

    private sealed record ExtensionsJson(HttpJson? Http, ServiceBusJson? ServiceBus, DurableTaskJson? DurableTask);

    private sealed record HttpJson(string? RoutePrefix);

    private sealed record ServiceBusJson(int? MaxConcurrentCalls, string? MaxAutoLockRenewalDuration, bool? AutoCompleteMessages);

    private sealed record DurableTaskJson(int? MaxConcurrentActivityFunctions, int? MaxConcurrentOrchestratorFunctions, string? DefaultVersion);

    private sealed record CustomHandlerJson(
        DescriptionJson? Description,
        int Port,
        bool EnableForwardingHttpRequest,
        bool EnableProxyingHttpRequest,
        string? InitializationTimeout,
        HandlerHttpJson? Http);

    private sealed record DescriptionJson(string? DefaultExecutablePath, string? WorkingDirectory, IReadOnlyList<string>? Arguments);

    private sealed record HandlerHttpJson(IReadOnlyList<JsonElement>? Routes);
}
