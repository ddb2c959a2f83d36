using Baton.Functions.Hosting;

namespace Baton.Functions.Operations;

/// <summary>A step to record.</summary>
internal sealed record StepToRecord(string OperationId, int Number, string Name, string? Detail = null);

/// <summary>Activity: records a step before it starts, or what it is waiting for.</summary>
internal sealed class RecordStep(OperationStore operations)
{
    /// <summary>Records it; a repeat keeps the first time.</summary>
    [Function(nameof(RecordStep))]
    public Task RunAsync([ActivityTrigger] StepToRecord step, CancellationToken cancellationToken) =>
        operations.RecordStepAsync(step.OperationId, step.Number, step.Name, step.Detail, cancellationToken);
}
