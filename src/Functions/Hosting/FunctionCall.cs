using System.Reflection;
using Baton.Durable;

namespace Baton.Functions.Hosting;

/// <summary>Calls a function's method.</summary>
internal static class FunctionCall
{
    /// <summary>What <paramref name="function"/> gives: the value of its task if it returns one, null for none.</summary>
    /// <param name="function">The function.</param>
    /// <param name="services">Where its class comes from; of this invocation.</param>
    /// <param name="input">The trigger's value.</param>
    /// <param name="client">The durable client, where it asks for one.</param>
    /// <param name="cancellationToken">Ends when the host gives up or the app stops.</param>
    public static async Task<object?> RunAsync(
        FunctionDefinition function, IServiceProvider services, object? input, DurableTaskClient? client, CancellationToken cancellationToken)
    {
        // By place: two threads that ask a method for its parameters first may get different objects for the same ones.
        var arguments = function.Method.GetParameters()
            .Select(parameter =>
                parameter.Position == function.TriggerParameter.Position ? input
                : parameter.Position == function.ClientParameter?.Position ? client
                : (object)cancellationToken)
            .ToArray();
        var target = function.Method.IsStatic ? null : services.GetRequiredService(function.Method.DeclaringType!);
        var returned = function.Method.Invoke(target, BindingFlags.DoNotWrapExceptions, binder: null, arguments, culture: null);
        if (returned is not Task task)
        {
            return returned;
        }

        await task;
        return function.ResultType == typeof(void) ? null : function.Method.ReturnType.GetProperty(nameof(Task<>.Result))!.GetValue(task);
    }
}
