namespace Baton.DevHost.Clusters;

/// <summary>An entry of <c>GET /api/timeline</c>.</summary>
/// <param name="Id">Unique for one happening.</param>
/// <param name="Kind">What it is.</param>
/// <param name="At">When (UTC).</param>
/// <param name="Summary">One sentence.</param>
/// <param name="OperationId">The operation it belongs to, if any.</param>
/// <param name="Steps">Timings, where there are steps.</param>
public sealed record TimelineView(string Id, string Kind, DateTimeOffset At, string Summary, string? OperationId = null, IReadOnlyList<TimelineStepView>? Steps = null);

/// <summary>A step of an entry and how long it took (milliseconds).</summary>
public sealed record TimelineStepView(string Name, double ElapsedMs, string? Detail = null);
