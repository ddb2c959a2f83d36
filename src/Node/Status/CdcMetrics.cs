using Baton.Core.Api;
using Baton.Edge.Metrics;
using Baton.Node.Channels;

namespace Baton.Node.Status;

/// <summary>What is counted of change data capture, as long as the process lives.</summary>
internal sealed class CdcMetrics
{
    private readonly LabelledCounts<(string Channel, string Target)> _records = new();
    private readonly LabelledCounts<(string Channel, string Target)> _repeats = new();
    private readonly LabelledCounts<(string Channel, string Target)> _bytes = new();
    private readonly LabelledCounts<string> _setbacks = new();

    /// <summary>A request was taken.</summary>
    /// <param name="channel">Of this channel.</param>
    /// <param name="target">By this cluster.</param>
    /// <param name="appended">Records that were new to it.</param>
    /// <param name="ignored">Records that it had.</param>
    /// <param name="payloadBytes">Their payload.</param>
    public void Taken(string channel, string target, int appended, int ignored, long payloadBytes)
    {
        _records.Add((channel, target), appended);
        _repeats.Add((channel, target), ignored);
        _bytes.Add((channel, target), payloadBytes);
    }

    /// <summary>A request was not taken.</summary>
    /// <param name="kind">Why, in one of a few words.</param>
    public void SetBack(string kind) => _setbacks.Add(kind);

    /// <summary>Prints all of it, with where the tasks of the led channels stand.</summary>
    public void PrintTo(MetricText text, IReadOnlyList<LedChannel> held)
    {
        var tasks = held.SelectMany(c => c.Cdc.Progress().Select(p => (Channel: c.Name, Task: p))).OrderBy(t => t.Channel, StringComparer.Ordinal).ThenBy(t => t.Task.TargetCluster, StringComparer.Ordinal).ToArray();
        Gauge(text, "baton_cdc_lag_ms", "Age of the oldest record of each channel led here that the target does not have yet; 0 where there is none.", t => t.LagMs);
        Gauge(text, "baton_cdc_acked_lsn", "Everything to be sent up to this LSN is durable in the target.", t => t.AckedLsn);
        text.Family("baton_cdc_tasks", "gauge", "CDC tasks of channels led here, by what they are doing.");
        foreach (var phase in Enum.GetValues<CdcPhase>())
        {
            text.Sample(tasks.Count(t => t.Task.Phase == phase), ("phase", System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(phase.ToString())));
        }

        Counts(text, "baton_cdc_records_total", "Records that targets have taken.", _records);
        Counts(text, "baton_cdc_repeated_records_total", "Records that targets had already when they were sent.", _repeats);
        Counts(text, "baton_cdc_payload_bytes_total", "Payload of records sent and taken, repeats among it.", _bytes);
        text.Family("baton_cdc_setbacks_total", "counter", "Requests to targets that were not taken, by reason.");
        foreach (var (kind, count) in _setbacks.Read().OrderBy(s => s.Labels, StringComparer.Ordinal))
        {
            text.Sample(count, ("reason", kind));
        }

        void Gauge(MetricText to, string name, string help, Func<CdcProgress, long> value)
        {
            to.Family(name, "gauge", help);
            foreach (var (channel, task) in tasks)
            {
                to.Sample(value(task), ("channel", channel), ("target", task.TargetCluster));
            }
        }
    }

    private static void Counts(MetricText text, string name, string help, LabelledCounts<(string Channel, string Target)> counts)
    {
        text.Family(name, "counter", help);
        foreach (var ((channel, target), count) in counts.Read().OrderBy(c => c.Labels))
        {
            text.Sample(count, ("channel", channel), ("target", target));
        }
    }
}
