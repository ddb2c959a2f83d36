namespace Baton.Functions.Hosting;

/// <summary>One run of a timer.</summary>
/// <param name="IsPastDue">The run is late, for instance because the app was down.</param>
/// <param name="ScheduleStatus">Earlier and next runs, where the host keeps them; it does not for schedules under a minute.</param>
public sealed record TimerInfo(bool IsPastDue, ScheduleStatus? ScheduleStatus = null);

/// <summary>When a timer ran and when it runs next.</summary>
/// <param name="Last">The last run.</param>
/// <param name="Next">The next run.</param>
/// <param name="LastUpdated">When this status was written.</param>
public sealed record ScheduleStatus(DateTimeOffset Last, DateTimeOffset Next, DateTimeOffset LastUpdated);
