namespace Baton.DevHost.Orchestrations;

/// <summary>The engine's way to the app's functions.</summary>
public interface IOrchestrationInvoker
{
    /// <summary>Whether the app has an orchestrator of this name.</summary>
    public bool HasOrchestrator(string name);

    /// <summary>Whether the app has an activity of this name.</summary>
    public bool HasActivity(string name);

    /// <summary>Runs one turn of an orchestrator.</summary>
    /// <param name="name">The orchestrator.</param>
    /// <param name="base64Request">An OrchestratorRequest.</param>
    /// <param name="ct">The engine stops: the turn is thrown away and done again by the next engine.</param>
    /// <returns>An OrchestratorResponse, in base64.</returns>
    /// <exception cref="InvocationFailedException">Any failure at all. It fails the instance for good, except that a timeout has the turn delivered again.</exception>
    public Task<string> InvokeOrchestratorAsync(string name, string base64Request, CancellationToken ct);

    /// <summary>Runs an activity.</summary>
    /// <param name="name">The activity.</param>
    /// <param name="instanceId">The orchestration that wants it.</param>
    /// <param name="inputJson">Its input as JSON text; null when the orchestrator gave none.</param>
    /// <param name="ct">The engine stops: the activity is run again by the next engine.</param>
    /// <returns>The result as JSON text; null for none.</returns>
    /// <exception cref="InvocationFailedException">It failed. The orchestration sees a failed task that says no more than that.</exception>
    public Task<string?> InvokeActivityAsync(string name, string instanceId, string? inputJson, CancellationToken ct);
}

/// <summary>A function could not be called, answered an error, or answered nonsense.</summary>
public sealed class InvocationFailedException : Exception
{
    /// <summary>A failure without words.</summary>
    public InvocationFailedException()
        : this("Response status code does not indicate success: 500 (Internal Server Error).")
    {
    }

    /// <summary>A failure, told as the host's HTTP client would.</summary>
    public InvocationFailedException(string message)
        : base(message)
    {
    }

    /// <summary>A failure and what caused it.</summary>
    public InvocationFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Whether it took longer than the function timeout. The platform delivers such a turn again.</summary>
    public bool IsTimeout { get; init; }
}
