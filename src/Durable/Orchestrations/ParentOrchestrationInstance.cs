namespace Baton.Durable;

/// <summary>The orchestration that called this one.</summary>
/// <param name="Name">Its name.</param>
/// <param name="InstanceId">Its instance's id.</param>
public record ParentOrchestrationInstance(TaskName Name, string InstanceId);
