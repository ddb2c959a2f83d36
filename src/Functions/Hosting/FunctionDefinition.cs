using System.Reflection;

namespace Baton.Functions.Hosting;

/// <summary>A function as it is declared: what <c>function.json</c> says of it and how to call it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Method">The method.</param>
/// <param name="Trigger">The trigger's attribute.</param>
/// <param name="TriggerParameter">The parameter that takes the trigger's value.</param>
/// <param name="ClientParameter">The parameter that takes a durable client, if any.</param>
/// <param name="HttpResult">Where the returned record holds the HTTP answer; null when the function returns the answer itself.</param>
/// <param name="QueueOutputs">What the returned record sends to queues.</param>
internal sealed record FunctionDefinition(
    string Name,
    MethodInfo Method,
    Attribute Trigger,
    ParameterInfo TriggerParameter,
    ParameterInfo? ClientParameter,
    PropertyInfo? HttpResult,
    IReadOnlyList<QueueOutput> QueueOutputs)
{
    /// <summary>The name of the HTTP answer among the outputs.</summary>
    public const string HttpOutputName = "res";

    /// <summary>The name of the trigger's binding.</summary>
    public string TriggerName => TriggerParameter.Name!;

    /// <summary>One input and one output, both HTTP: the host forwards the caller's request as it is. All others get an envelope.</summary>
    public bool IsForwarded => Trigger is HttpTriggerAttribute && ClientParameter is null && QueueOutputs.Count == 0;

    /// <summary>What the method gives when its task, if it returns one, is done.</summary>
    public Type ResultType => ResultOf(Method.ReturnType);

    /// <summary><paramref name="returnType"/> without its task.</summary>
    public static Type ResultOf(Type returnType) =>
        returnType == typeof(Task) ? typeof(void)
        : returnType.IsGenericType && returnType.GetGenericTypeDefinition() == typeof(Task<>) ? returnType.GetGenericArguments()[0]
        : returnType;
}

/// <summary>A property of a returned record whose value goes to a queue.</summary>
/// <param name="Name">The binding's name.</param>
/// <param name="Property">The property.</param>
/// <param name="Declaration">The queue.</param>
internal sealed record QueueOutput(string Name, PropertyInfo Property, ServiceBusOutputAttribute Declaration);
