using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Baton.DevHost.FunctionsHost.Timers;

namespace Baton.DevHost.FunctionsHost.Apps;

/// <summary>Turns bindings into what they mean. A type or setting that this host does not play is an error, never ignored.</summary>
internal sealed partial class BindingReader(AppSettings settings, string hubName)
{
    public FunctionTrigger Trigger(string function, Binding binding)
    {
        if (binding.Direction != BindingDirection.In)
        {
            throw new InvalidFunctionAppException($"{binding.Where}: a trigger has the direction 'in'.");
        }

        return binding.Type.ToUpperInvariant() switch
        {
            "HTTPTRIGGER" => Http(function, binding),
            "TIMERTRIGGER" => Timer(binding),
            "SERVICEBUSTRIGGER" => Queue(binding),
            "ORCHESTRATIONTRIGGER" => new OrchestrationTrigger(binding.Name, binding.Text("orchestration") ?? function),
            "ACTIVITYTRIGGER" => Activity(function, binding),
            _ => throw new InvalidFunctionAppException($"{binding.Where}: this host does not know the type '{binding.Type}'."),
        };
    }

    public string DurableClient(Binding binding)
    {
        if (binding.Text("taskHub") is { } hub && !string.Equals(settings.ExpandStrictly(hub, binding.Where), hubName, StringComparison.Ordinal))
        {
            throw new InvalidFunctionAppException($"{binding.Where}: taskHub \"{hub}\" is not this host's hub '{hubName}'.");
        }

        return binding.Name;
    }

    public QueueOutput QueueOutput(Binding binding) => new(binding.Name, QueueName(binding), binding.Binary);

    private static HttpTrigger Http(string function, Binding binding)
    {
        var methods = binding.Settings.GetValueOrDefault("methods") switch
        {
            null => [],
            JsonArray array => array.Select(m => m!.GetValue<string>().ToUpperInvariant()).ToList(),
            _ => throw new InvalidFunctionAppException($"{binding.Where}: methods must be an array."),
        };
        var level = binding.Text("authLevel") ?? "function";
        return Enum.TryParse<KeyLevel>(level, ignoreCase: true, out var parsed) && Enum.IsDefined(parsed)
            ? new HttpTrigger(binding.Name, (binding.Text("route") ?? function).TrimStart('/'), methods, parsed)
            : throw new InvalidFunctionAppException($"{binding.Where}: authLevel \"{level}\" must be anonymous, function, system or admin.");
    }

    private TimerTrigger Timer(Binding binding)
    {
        var text = settings.ExpandStrictly(binding.Text("schedule") ?? throw new InvalidFunctionAppException($"{binding.Where}: schedule is missing."), binding.Where);
        try
        {
            var schedule = CronSchedule.Parse(text);
            return new TimerTrigger(binding.Name, schedule, binding.Flag("runOnStartup") ?? false, binding.Flag("useMonitor") ?? true);
        }
        catch (FormatException e)
        {
            throw new InvalidFunctionAppException($"{binding.Where}: schedule \"{text}\": {e.Message}", e);
        }
    }

    private QueueTrigger Queue(Binding binding)
    {
        if (binding.Flag("isSessionsEnabled") == true || string.Equals(binding.Text("cardinality"), "many", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidFunctionAppException($"{binding.Where}: this host plays neither sessions nor cardinality 'many'.");
        }

        return new QueueTrigger(binding.Name, QueueName(binding), binding.Binary);
    }

    private static ActivityTrigger Activity(string function, Binding binding)
    {
        // The Durable extension puts these into Metadata itself, and Metadata leaves out names that end in "trigger": such a parameter gets lost or overwritten.
        if (binding.Name is "data" or "instanceId" || binding.Name.EndsWith("trigger", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidFunctionAppException($"{binding.Where}: an activity's parameter must not be named 'data', 'instanceId' or end in 'trigger'.");
        }

        return new ActivityTrigger(binding.Name, binding.Text("activity") ?? function);
    }

    private string QueueName(Binding binding)
    {
        if (binding.Text("topicName") is not null)
        {
            throw new InvalidFunctionAppException($"{binding.Where}: this host plays queues only, no topics.");
        }

        var queue = settings.ExpandStrictly(binding.Text("queueName") ?? throw new InvalidFunctionAppException($"{binding.Where}: queueName is missing."), binding.Where);
        if (!StorageQueueName().IsMatch(queue))
        {
            throw new InvalidFunctionAppException($"{binding.Where}: '{queue}' cannot be a storage queue, which plays the Service Bus queue here: 3 to 63 small letters, digits and single dashes.");
        }

        var connection = binding.Text("connection") ?? "AzureWebJobsServiceBus";
        return settings.HasConnection(connection)
            ? queue
            : throw new InvalidFunctionAppException($"{binding.Where}: the connection '{connection}' is not set. Set {connection} or {connection}__fullyQualifiedNamespace in the app settings (any value here).");
    }

    [GeneratedRegex("^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StorageQueueName();
}
