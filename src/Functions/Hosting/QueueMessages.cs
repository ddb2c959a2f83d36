namespace Baton.Functions.Hosting;

/// <summary>What a function's returned record sends to queues, in the form the host takes.</summary>
internal static class QueueMessages
{
    /// <summary>Adds the messages in <paramref name="returned"/> to <paramref name="outputs"/>.</summary>
    /// <exception cref="InvalidOperationException">One is not the text of a JSON object.</exception>
    public static void Add(FunctionDefinition function, object? returned, Dictionary<string, object> outputs)
    {
        if (returned is null)
        {
            return;
        }

        foreach (var output in function.QueueOutputs)
        {
            var messages = Messages(output.Property.GetValue(returned));
            foreach (var message in messages)
            {
                RequireObject(output, message);
            }

            // In a list the host sends each text as it stands. Alone it would parse the text and send its own rendering, with dates changed.
            if (messages.Count > 0)
            {
                outputs[output.Name] = messages;
            }
        }
    }

    private static IReadOnlyList<string> Messages(object? value) => value switch
    {
        null => [],
        string message => [message],
        _ => (IReadOnlyList<string>)value,
    };

    // Text without braces may be valid base64, which the host would decode.
    private static void RequireObject(QueueOutput output, string message)
    {
        if (message is null || !message.TrimStart().StartsWith('{'))
        {
            throw new InvalidOperationException($"A message for the queue {output.Declaration.QueueName} is not the text of a JSON object.");
        }
    }
}
