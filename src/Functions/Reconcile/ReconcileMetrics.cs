using System.Diagnostics.Metrics;
using System.Text.Json;

namespace Baton.Functions.Reconcile;

/// <summary>Metrics of reconciliation.</summary>
internal static class ReconcileMetrics
{
    private static readonly Meter Meter = new("Baton.Reconcile");
    private static readonly Histogram<double> Pass = Meter.CreateHistogram<double>("baton_reconcile_pass_seconds", "s", "From the plan of a pass to its report.");
    private static readonly Counter<long> Nodes = Meter.CreateCounter<long>("baton_reconcile_nodes_total", description: "Nodes of passes, by what came of them.");
    private static readonly Counter<long> Channels = Meter.CreateCounter<long>("baton_reconcile_channels_total", description: "Channels that passes put right.");
    private static readonly Gauge<int> Circuits = Meter.CreateGauge<int>("baton_reconcile_open_circuits", description: "Nodes that the last pass did not call because calls to them had failed.");

    /// <summary>Records a pass.</summary>
    public static void Record(ReconcileToReport pass, double elapsedMs)
    {
        Pass.Record(elapsedMs / 1_000);
        foreach (var node in pass.Nodes)
        {
            Nodes.Add(1, Tag("outcome", Name(node.Outcome)));
        }

        foreach (var node in pass.Plan.Skipped)
        {
            Nodes.Add(1, Tag("outcome", Name(node.Reason)));
        }

        Channels.Add(pass.Nodes.Sum(n => n.Told), Tag("what", "told"));
        Channels.Add(pass.Repaired.Channels, Tag("what", "repaired"));
        Circuits.Record(pass.Plan.Skipped.Count(s => s.Reason == SkipReason.CircuitOpen));
    }

    private static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
