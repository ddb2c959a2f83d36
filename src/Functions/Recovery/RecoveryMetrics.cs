using System.Diagnostics.Metrics;
using Baton.Core.Recovery;

namespace Baton.Functions.Recovery;

/// <summary>Metrics of recovery sessions. Counted is what was written to a channel's row: a change that lost, or that comes again, counts for nothing.</summary>
internal static class RecoveryMetrics
{
    private static readonly Meter Meter = new("Baton.Recovery");
    private static readonly Counter<long> Created = Meter.CreateCounter<long>("baton_recovery_sessions_created_total", description: "Sessions that were made.");
    private static readonly Counter<long> Ended = Meter.CreateCounter<long>("baton_recovery_sessions_ended_total", description: "Sessions that ended, by what came of them.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("baton_recovery_session_seconds", "s", "From the first step of a session to its own end.");
    private static readonly Gauge<int> UnderWay = Meter.CreateGauge<int>("baton_recovery_sessions_under_way", description: "Sessions that the last sweep found under way.");

    /// <summary>Counts the sessions that a change of a channel's row has made and ended.</summary>
    public static void Count(IEnumerable<ChannelReplicas> before, IEnumerable<ChannelReplicas> after)
    {
        var was = before.SelectMany(c => c.Senders).ToDictionary(s => s.Replica);
        var now = after.SelectMany(c => c.Senders).ToDictionary(s => s.Replica);
        foreach (var sender in now.Values.Where(s => s.Session is { } made && was.GetValueOrDefault(s.Replica)?.Session?.Id != made.Id))
        {
            Created.Add(1, Tag("kind", RecoveryEvents.Text(sender.Session!.Kind)));
        }

        foreach (var sender in was.Values.Where(s => s.HasActiveSession))
        {
            var then = now.GetValueOrDefault(sender.Replica);
            if (then is not { HasActiveSession: true } || then.Session!.Id != sender.Session!.Id)
            {
                Ended.Add(1, Tag("outcome", Outcome(sender.Session!, then)));
            }
        }
    }

    /// <summary>Records how long a session was run that has come to its own end.</summary>
    public static void RecordRun(double milliseconds) => Duration.Record(milliseconds / 1_000);

    /// <summary>Records how many sessions there are.</summary>
    public static void RecordUnderWay(int sessions) => UnderWay.Record(sessions);

    private static string Outcome(RecoverySession session, ReplicaSender? then) =>
        then is { Session: null, IsInSync: true } ? "completed"
        : then?.Session is not { EndedBecause: { } reason } ended || ended.Id != session.Id ? "withdrawn" // another took its place, or the replica was given up
        : reason switch
        {
            TakeRecovery.RunLost => "lost",
            RecoveryEvents.Cancelled or RecoveryEvents.EndpointChanged or RecoveryEvents.SenderStopped => "withdrawn",
            RecoveryEvents.GapExceedsRetention or RecoveryEvents.RetentionReleased => "escalated",
            _ when reason.StartsWith("budget_", StringComparison.Ordinal) => "escalated",
            _ when reason.StartsWith("epoch_", StringComparison.Ordinal) => "withdrawn",
            _ => "failed",
        };

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
