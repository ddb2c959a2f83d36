namespace Baton.Functions.Hosting;

/// <summary>On a <c>DurableTaskClient</c>: a client of this app's orchestrations.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class DurableClientAttribute : Attribute;

/// <summary>
/// On a property of the returned record: what it holds is sent to a queue after the function returned. A <see cref="string"/> is one
/// message, an <see cref="IReadOnlyList{T}"/> of strings several, null none. Each must be the text of a JSON object: the host takes any
/// other text that could be base64 for base64.
/// </summary>
/// <param name="queueName">The queue.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ServiceBusOutputAttribute(string queueName) : Attribute
{
    /// <summary>The queue.</summary>
    public string QueueName { get; } = queueName;

    /// <summary>The name of the setting that holds the connection.</summary>
    public required string Connection { get; init; }
}

/// <summary>On the <see cref="IResult"/> property of the record that an HTTP function with further outputs returns: its answer.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class HttpResultAttribute : Attribute;
