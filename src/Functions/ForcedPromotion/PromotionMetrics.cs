using System.Diagnostics.Metrics;
using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Functions.ForcedPromotion;

/// <summary>Metrics of force updates.</summary>
internal static class PromotionMetrics
{
    private static readonly Meter Meter = new("Baton.ForcedPromotion");
    private static readonly Counter<long> Total = Meter.CreateCounter<long>("baton_force_update_total", description: "Force updates by how they ended.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("baton_force_update_duration_seconds", "s", "From the request to the end.");
    private static readonly Counter<long> TxnRollback = Meter.CreateCounter<long>("baton_txn_rollback_after_failover_total", description: "Open transactions ended by a forced configuration.");
    private static readonly Counter<long> Supplementation = Meter.CreateCounter<long>("baton_broadcast_supplementation_total", description: "Half-delivered broadcasts that a promotion met.");
    private static readonly Histogram<long> SupplementationVChannels = Meter.CreateHistogram<long>("baton_broadcast_supplementation_vchannels", description: "Vchannels that were without a supplemented broadcast.");

    /// <summary>Counts a force update that ended without a promotion.</summary>
    public static void Count(string status) => Total.Add(1, Tag("status", status));

    /// <summary>Counts the transactions that were rolled back on a channel.</summary>
    public static void RolledBack(string vchannel, int count) => TxnRollback.Add(count, Tag("channel", VChannels.ChannelOf(vchannel)));

    /// <summary>Counts a broadcast that a promotion completed.</summary>
    public static void Supplemented(string kind, int vchannels)
    {
        Supplementation.Add(1, Tag("kind", kind), Tag("status", "succeeded"));
        SupplementationVChannels.Record(vchannels, Tag("kind", kind));
    }

    /// <summary>Counts a round of a promotion after which a broadcast was still missing somewhere.</summary>
    public static void SupplementFailed(string kind) => Supplementation.Add(1, Tag("kind", kind), Tag("status", "failed"));

    /// <summary>Counts a promotion that is done.</summary>
    public static void Finished(PromotionReport report, SupplementPlan plan)
    {
        Count("succeeded");
        Duration.Record(report.ElapsedMs / 1_000.0);

        // Switched off by setting, there are no steps.
        foreach (var kind in plan.LeftIncomplete.GroupBy(b => b.Kind, StringComparer.Ordinal))
        {
            Supplementation.Add(kind.Count(), Tag("kind", kind.Key), Tag("status", plan.Steps.Count > 0 ? "noChannel" : "switchedOff"));
        }
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
