using System.Net;

namespace Baton.Durable;

/// <summary>The host refused a call of the durable client.</summary>
public class DurableTaskClientException : Exception
{
    /// <summary>Reports a refusal.</summary>
    /// <param name="statusCode">The host's answer: 404 no such instance, 410 it has ended, 412 it has not ended.</param>
    /// <param name="message">What was refused, and what the host says.</param>
    public DurableTaskClientException(HttpStatusCode statusCode, string message)
        : base(message) => StatusCode = statusCode;

    /// <summary>The host's answer.</summary>
    public HttpStatusCode StatusCode { get; }
}

/// <summary>An instance with this id is running.</summary>
public sealed class OrchestrationAlreadyExistsException : DurableTaskClientException
{
    /// <summary>Reports that <paramref name="instanceId"/> is running.</summary>
    public OrchestrationAlreadyExistsException(string instanceId)
        : base(HttpStatusCode.Conflict, $"An orchestration instance '{instanceId}' already exists and has not ended.") => InstanceId = instanceId;

    /// <summary>The instance.</summary>
    public string InstanceId { get; }
}
