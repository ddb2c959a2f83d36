using System.Diagnostics;
using System.Globalization;

namespace Baton.Edge.Metrics;

/// <summary>The process itself, under the names that dashboards know.</summary>
public static class ProcessMetrics
{
    /// <summary>Prints all of it.</summary>
    /// <param name="text">Where to.</param>
    /// <param name="now">The time of now, for the uptime.</param>
    public static void PrintTo(MetricText text, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(text);
        using var process = Process.GetCurrentProcess();
        var started = new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1_000.0;
        text.Family("process_start_time_seconds", "gauge", "When the process started, in Unix seconds.").Sample(started);
        text.Family("process_uptime_seconds", "gauge", "How long the process has been running.").Sample(Math.Max(0, (now.ToUnixTimeMilliseconds() / 1_000.0) - started));
        text.Family("process_cpu_seconds_total", "counter", "Processor time used.").Sample(process.TotalProcessorTime.TotalSeconds);
        text.Family("process_resident_memory_bytes", "gauge", "Working set.").Sample(process.WorkingSet64);
        text.Family("process_threads", "gauge", "Threads of the process.").Sample(process.Threads.Count);
        text.Family("dotnet_threadpool_threads", "gauge", "Threads of the pool.").Sample(ThreadPool.ThreadCount);
        text.Family("dotnet_threadpool_queue_length", "gauge", "Work that waits for a thread of the pool.").Sample(ThreadPool.PendingWorkItemCount);
        text.Family("dotnet_gc_heap_bytes", "gauge", "The managed heap, garbage included.").Sample(GC.GetTotalMemory(forceFullCollection: false));
        text.Family("dotnet_gc_allocated_bytes_total", "counter", "Bytes allocated on the managed heap.").Sample(GC.GetTotalAllocatedBytes());
        text.Family("dotnet_gc_pause_seconds_total", "counter", "Time that collections stopped the process.").Sample(GC.GetTotalPauseDuration().TotalSeconds);
        text.Family("dotnet_gc_collections_total", "counter", "Collections by generation.");
        for (var generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            // Counting a generation, the runtime counts the higher ones with it.
            var count = GC.CollectionCount(generation) - (generation < GC.MaxGeneration ? GC.CollectionCount(generation + 1) : 0);
            text.Sample(Math.Max(0, count), ("generation", generation.ToString(CultureInfo.InvariantCulture)));
        }
    }
}
