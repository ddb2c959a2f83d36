using System.Diagnostics.Metrics;

namespace Baton.Functions.Failover;

/// <summary>Metrics of the fast path.</summary>
internal static class FailoverMetrics
{
    private static readonly Meter Meter = new("Baton.Failover");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("baton_failover_duration_seconds", "s", "Steps of a failover.");

    /// <summary>From the observation of a failure to its handler.</summary>
    public static Histogram<double> QueueWait { get; } = Meter.CreateHistogram<double>("baton_urgent_queue_wait_seconds", "s", "From observation to handler.");

    /// <summary>Attempts of a failover that the storage did not answer, and that began anew.</summary>
    public static Counter<long> StorageRetries { get; } = Meter.CreateCounter<long>("baton_failover_storage_retries_total", description: "Attempts that the storage did not answer.");

    /// <summary>Records how long a step took.</summary>
    public static void Record(string step, double milliseconds) => Duration.Record(milliseconds / 1_000, new KeyValuePair<string, object?>("step", step));
}
