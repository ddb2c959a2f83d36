using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Baton.Durable;

namespace Baton.Functions.Hosting;

/// <summary>Reads one method's declaration as a function, and says what is wrong with it.</summary>
internal sealed partial class FunctionDeclaration
{
    private static readonly string[] Verbs = ["get", "head", "post", "put", "patch", "delete", "options"];

    private readonly MethodInfo method;
    private readonly ICollection<string> problems;
    private readonly Type resultType;

    private FunctionDeclaration(MethodInfo method, ICollection<string> problems)
    {
        this.method = method;
        this.problems = problems;
        resultType = FunctionDefinition.ResultOf(method.ReturnType);
    }

    /// <summary>The function that <paramref name="method"/> declares; null, with <paramref name="problems"/> added, when nothing can be made of it.</summary>
    public static FunctionDefinition? Read(MethodInfo method, ICollection<string> problems) => new FunctionDeclaration(method, problems).Read();

    /// <summary>Where <paramref name="function"/> is declared.</summary>
    public static string Place(FunctionDefinition function) => Place(function.Method);

    private static string Place(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}";

    private FunctionDefinition? Read()
    {
        var name = method.GetCustomAttribute<FunctionAttribute>()!.Name;
        RefuseIf(!NamePattern().IsMatch(name), $"the name '{name}' must be a letter followed by letters, digits, - or _, 127 at most.");
        RefuseIf(!method.IsPublic, "must be public.");
        RefuseIf(method.IsGenericMethodDefinition || method.DeclaringType!.IsGenericType, "and its class must not be generic.");
        RefuseIf(!method.IsStatic && method.DeclaringType!.IsAbstract, "an abstract class cannot be made.");
        ReadReturn();

        var triggers = method.GetParameters()
            .SelectMany(parameter => parameter.GetCustomAttributes().Where(IsTrigger).Select(attribute => (Parameter: parameter, Attribute: attribute)))
            .ToList();
        if (triggers.Count != 1)
        {
            Refuse($"needs one trigger, has {triggers.Count}.");
            return null;
        }

        var (triggerParameter, trigger) = triggers[0];
        ReadTrigger(trigger, triggerParameter);
        var client = ReadOtherParameters(trigger, triggerParameter);
        var httpResult = ReadHttpResult(trigger);
        var outputs = ReadQueueOutputs(trigger);
        RefuseUnusedResult(trigger, outputs);

        var function = new FunctionDefinition(name, method, trigger, triggerParameter, client, httpResult, outputs);
        RefuseBindingNames(function);
        return function;
    }

    private void ReadReturn()
    {
        RefuseIf(
            method.ReturnType == typeof(void) && method.IsDefined(typeof(AsyncStateMachineAttribute)),
            "async void cannot be awaited: return Task.");
        RefuseIf(
            method.ReturnType == typeof(ValueTask) || (method.ReturnType.IsGenericType && method.ReturnType.GetGenericTypeDefinition() == typeof(ValueTask<>)),
            "return Task instead of ValueTask.");
    }

    private void ReadTrigger(Attribute trigger, ParameterInfo parameter)
    {
        switch (trigger)
        {
            case HttpTriggerAttribute http:
                RequireType(parameter, typeof(HttpRequest));
                RefuseIf(http.Methods.Count == 0, "names no HTTP verb.");
                RefuseIf(
                    http.Methods.Any(verb => !Verbs.Contains(verb, StringComparer.OrdinalIgnoreCase))
                        || http.Methods.Distinct(StringComparer.OrdinalIgnoreCase).Count() != http.Methods.Count,
                    $"the verbs '{string.Join(", ", http.Methods)}' must be different ones of {string.Join(", ", Verbs)}.");
                RefuseIf(!HttpRoute.IsValid(http.Route), $"the route '{http.Route}' must be plain segments and {{parameters}}, without a leading slash.");
                break;
            case ServiceBusTriggerAttribute queue:
                RequireType(parameter, typeof(ReadOnlyMemory<byte>));
                RequireText(queue.QueueName, "queue");
                RequireText(queue.Connection, "connection setting");
                break;
            case TimerTriggerAttribute timer:
                RequireType(parameter, typeof(TimerInfo));
                RefuseIf(!SchedulePattern().IsMatch(timer.Schedule), $"the schedule '{timer.Schedule}' must have six fields or be a %Setting%.");
                break;
            case OrchestrationTriggerAttribute:
                RequireType(parameter, typeof(TaskOrchestrationContext));
                RefuseIf(!typeof(Task).IsAssignableFrom(method.ReturnType), "an orchestrator returns Task or Task<T>.");
                break;
        }
    }

    private ParameterInfo? ReadOtherParameters(Attribute trigger, ParameterInfo triggerParameter)
    {
        ParameterInfo? client = null;
        foreach (var parameter in method.GetParameters().Where(parameter => parameter.Position != triggerParameter.Position))
        {
            if (parameter.IsDefined(typeof(DurableClientAttribute)))
            {
                RequireType(parameter, typeof(DurableTaskClient));
                RefuseIf(client is not null, "needs no second durable client.");
                RefuseIf(trigger is OrchestrationTriggerAttribute or ActivityTriggerAttribute, "a durable client is not for orchestrators and activities.");
                client = parameter;
            }
            else if (parameter.ParameterType == typeof(CancellationToken))
            {
                RefuseIf(trigger is OrchestrationTriggerAttribute, "a cancellation token would make an orchestrator's replay differ.");
            }
            else
            {
                Refuse($"nothing binds the parameter '{parameter.Name}'.");
            }
        }

        return client;
    }

    private PropertyInfo? ReadHttpResult(Attribute trigger)
    {
        var answers = Properties<HttpResultAttribute>();
        if (trigger is not HttpTriggerAttribute)
        {
            RefuseIf(answers.Count > 0, "[HttpResult] is for HTTP functions.");
            return null;
        }

        if (typeof(IResult).IsAssignableFrom(resultType))
        {
            return null;
        }

        RefuseIf(
            answers.Count != 1 || !typeof(IResult).IsAssignableFrom(answers[0].PropertyType),
            "an HTTP function returns IResult, or a record with one [HttpResult] IResult.");
        return answers.FirstOrDefault();
    }

    private List<QueueOutput> ReadQueueOutputs(Attribute trigger)
    {
        var outputs = Properties<ServiceBusOutputAttribute>()
            .Select(property => new QueueOutput(
                $"{char.ToLowerInvariant(property.Name[0])}{property.Name[1..]}", property, property.GetCustomAttribute<ServiceBusOutputAttribute>()!))
            .ToList();
        foreach (var output in outputs)
        {
            RefuseIf(
                output.Property.PropertyType != typeof(string) && !typeof(IReadOnlyList<string>).IsAssignableFrom(output.Property.PropertyType),
                $"the output '{output.Property.Name}' must be a string or a list of strings.");
            RequireText(output.Declaration.QueueName, "queue");
            RequireText(output.Declaration.Connection, "connection setting");
        }

        RefuseIf(
            outputs.Count > 0 && trigger is OrchestrationTriggerAttribute or ActivityTriggerAttribute,
            "orchestrators and activities have no output but their result.");
        return outputs;
    }

    private void RefuseUnusedResult(Attribute trigger, List<QueueOutput> outputs) =>
        RefuseIf(
            trigger is ServiceBusTriggerAttribute or TimerTriggerAttribute && resultType != typeof(void) && outputs.Count == 0,
            "what it returns goes nowhere: return Task, or a record with [ServiceBusOutput] properties.");

    private void RefuseBindingNames(FunctionDefinition function)
    {
        List<string> names = [function.TriggerName, .. function.QueueOutputs.Select(output => output.Name)];
        if (function.ClientParameter is { } client)
        {
            names.Add(client.Name!);
        }

        if (function.Trigger is HttpTriggerAttribute)
        {
            names.Add(FunctionDefinition.HttpOutputName);
        }

        foreach (var name in names.Where(name => !BindingPattern().IsMatch(name)))
        {
            Refuse($"the host does not take the binding name '{name}': letters and digits only, a letter first.");
        }

        RefuseIf(
            names.Distinct(StringComparer.OrdinalIgnoreCase).Count() != names.Count,
            $"its bindings must have different names: {string.Join(", ", names)}.");

        // The host itself uses these beside an activity's input.
        RefuseIf(
            function.Trigger is ActivityTriggerAttribute
                && (function.TriggerName.EndsWith("trigger", StringComparison.OrdinalIgnoreCase)
                    || string.Equals(function.TriggerName, "data", StringComparison.OrdinalIgnoreCase)
                    || string.Equals(function.TriggerName, "instanceId", StringComparison.OrdinalIgnoreCase)),
            $"an activity's input cannot be named '{function.TriggerName}'.");
    }

    private List<PropertyInfo> Properties<TAttribute>()
        where TAttribute : Attribute =>
        [.. resultType.GetProperties().Where(property => property.IsDefined(typeof(TAttribute))).OrderBy(property => property.Name, StringComparer.Ordinal)];

    private void RequireType(ParameterInfo parameter, Type type) =>
        RefuseIf(parameter.ParameterType != type, $"the parameter '{parameter.Name}' must be of type {type.Name.Split('`')[0]}.");

    private void RequireText(string value, string what) => RefuseIf(string.IsNullOrWhiteSpace(value), $"names no {what}.");

    private void RefuseIf(bool wrong, string problem)
    {
        if (wrong)
        {
            Refuse(problem);
        }
    }

    private void Refuse(string problem) => problems.Add($"{Place(method)}: {problem}");

    private static bool IsTrigger(Attribute attribute) =>
        attribute is HttpTriggerAttribute or ServiceBusTriggerAttribute or TimerTriggerAttribute or OrchestrationTriggerAttribute or ActivityTriggerAttribute;

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_-]{0,126}\z", RegexOptions.None, 1000)]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9]{0,127}\z", RegexOptions.None, 1000)]
    private static partial Regex BindingPattern();

    [GeneratedRegex(@"^(?:%[A-Za-z_][A-Za-z0-9_:]*%|[^\s%]+(?: [^\s%]+){5})\z", RegexOptions.None, 1000)]
    private static partial Regex SchedulePattern();
}
