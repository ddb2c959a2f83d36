using System.Globalization;
using Baton.Core.Api;

namespace Baton.Core.Replication;

/// <summary>
/// The life of a CDC task: made by the configuration that gives this cluster a target, <see cref="CdcTaskState.Superseded"/> when the target says that it was promoted,
/// <see cref="CdcTaskState.Ended"/> when the target has confirmed that it is none any more, when an operator gives it up, or when the configuration drops a target that was promoted.
/// An ended task stays ended; the same pair can only get another task, by another configuration.
/// </summary>
public static class CdcTaskRules
{
    /// <summary>
    /// The tasks that differ once <paramref name="change"/> is in force. A pair of channel and target that the configuration before did not have gets a new task, and so does one whose task is over. A running task whose
    /// direction stays is left alone; so is one whose direction goes: its leader has yet to tell the target. Again with the result in <paramref name="present"/>, nothing differs.
    /// </summary>
    /// <exception cref="InvalidOperationException">The configuration's record on a channel that it names is not known.</exception>
    public static IReadOnlyList<CdcTask> Apply(IReadOnlyCollection<CdcTask> present, CdcChange change)
    {
        ArgumentNullException.ThrowIfNull(present);
        ArgumentNullException.ThrowIfNull(change);
        var rows = present.ToDictionary(t => (t.Channel, t.TargetCluster));
        var wanted = Wanted(change).ToDictionary(t => (t.Channel, t.TargetCluster));
        var changed = new List<CdcTask>();
        foreach (var (pair, task) in wanted)
        {
            if (rows.GetValueOrDefault(pair) is not { } row)
            {
                changed.Add(task);
            }
            else if (row.BroadcastId == task.BroadcastId)
            {
                // By an earlier run of the same callback, which did not get to the configuration itself; meanwhile the version may have moved on.
                changed.AddRange(row.Version == task.Version ? [] : [row with { Version = task.Version }]);
            }
            else if (row.State != CdcTaskState.Running || !HasEdge(change.Before, change.ClusterId, pair.TargetCluster) || !string.Equals(row.TargetChannel, task.TargetChannel, StringComparison.Ordinal))
            {
                // A running one whose direction had been dropped too: it would yet tell the target so, which would end what begins now.
                changed.Add(task);
            }
        }

        return [.. changed, .. present.Where(t => t.State == CdcTaskState.Superseded && !wanted.ContainsKey((t.Channel, t.TargetCluster))).Select(t => t with { State = CdcTaskState.Ended })];
    }

    /// <summary>What stays to be remembered of the source that was left, once <paramref name="change"/> is in force: the positions go when they have been used, or when they mean nothing any more.</summary>
    public static LeftSource? LeftAfter(CdcChange change)
    {
        ArgumentNullException.ThrowIfNull(change);
        var over = change.Left is { } left
            && (HasEdge(change.After, change.ClusterId, left.ClusterId) || ReplicateRoles.RoleOf(change.After, change.ClusterId) == ClusterRole.Secondary);
        return over ? change.Left! with { ForcedLsns = null } : change.Left;
    }

    /// <summary>Whether <paramref name="configuration"/> lets <paramref name="source"/> replicate to <paramref name="target"/>.</summary>
    public static bool HasEdge(ReplicateConfiguration? configuration, string source, string target) =>
        ReplicateRoles.TargetsOf(configuration, source).Contains(target, StringComparer.Ordinal);

    /// <summary>Null where <paramref name="report"/> can be about <paramref name="task"/>, else what is wrong with it.</summary>
    public static ApiError? Check(CdcTask task, string clusterId, CdcReport report)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(report);
        if (report.BroadcastId != task.BroadcastId)
        {
            return ApiError.Conflict(string.Create(CultureInfo.InvariantCulture, $"The task of channel {task.Channel} and cluster {task.TargetCluster} is that of broadcast {task.BroadcastId}, not {report.BroadcastId}."));
        }

        if (report.Departure is null)
        {
            return report.Salvage is null && report.Ended ? null : ApiError.InvalidArgument("A report says 'ended', or has a 'departure' and perhaps its 'salvage'.");
        }

        if (report.Ended)
        {
            return ApiError.InvalidArgument("A target that was promoted confirms nothing: 'ended' and 'departure' exclude each other.");
        }

        return CheckDeparture(task, clusterId, report.Departure) ?? CheckSalvage(report.Salvage);
    }

    /// <summary>The task after <paramref name="report"/>, which fits it; the same where the report says nothing new.</summary>
    public static CdcTask Report(CdcTask task, CdcReport report)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(report);
        if (task.State == CdcTaskState.Ended)
        {
            return task;
        }

        if (report.Ended)
        {
            return task with { State = CdcTaskState.Ended };
        }

        if (task.State == CdcTaskState.Running)
        {
            return task with { State = CdcTaskState.Superseded, Departure = report.Departure, Salvage = report.Salvage };
        }

        // At the same LSN the list may have become shorter: a broadcast that the target lacked has reached it since.
        var newer = report.Salvage is { } salvage && task.Departure == report.Departure && (task.Salvage is not { } known || salvage.ThroughLsn > known.ThroughLsn || (salvage.ThroughLsn == known.ThroughLsn && !Same(salvage, known)));
        return newer ? task with { Salvage = report.Salvage } : task;
    }

    private static IEnumerable<CdcTask> Wanted(CdcChange change)
    {
        var channels = change.After.Find(change.ClusterId)?.PChannels ?? [];
        foreach (var target in ReplicateRoles.TargetsOf(change.After, change.ClusterId).Select(change.After.Find).OfType<ReplicateCluster>())
        {
            for (var i = 0; i < channels.Count; i++)
            {
                var channel = channels[i]!;
                var configLsn = change.ConfigLsns.TryGetValue(channel, out var lsn)
                    ? lsn
                    : throw new InvalidOperationException($"Broadcast {change.BroadcastId} names channel {channel} in its configuration, but has no record there.");
                yield return new CdcTask(
                    channel,
                    target.ClusterId!,
                    target.PChannels![i]!,
                    target.Uri!,
                    target.Token ?? "",
                    change.BroadcastId,
                    StartLsn(change.Left, target.ClusterId!, channel) ?? configLsn,
                    configLsn,
                    change.Version,
                    CdcTaskState.Running,
                    change.Now);
            }
        }
    }

    // The former source lacks everything since it was left. A channel without a forced record is younger than the force: all of it, then.
    private static long? StartLsn(LeftSource? left, string target, string channel) =>
        left?.ForcedLsns is { } forced && string.Equals(left.ClusterId, target, StringComparison.Ordinal)
            ? forced.TryGetValue(channel, out var lsn) ? lsn + 1 : 1
            : null;

    private static ApiError? CheckDeparture(CdcTask task, string clusterId, ReplicateDeparture departure)
    {
        if (!string.Equals(departure.By, task.TargetCluster, StringComparison.Ordinal))
        {
            return ApiError.InvalidArgument($"The departure is that of cluster {departure.By}, but the task's target is {task.TargetCluster}.");
        }

        if (departure.From is not { } from || !string.Equals(from.ClusterId, clusterId, StringComparison.Ordinal) || !string.Equals(from.Channel, task.Channel, StringComparison.Ordinal))
        {
            return ApiError.InvalidArgument($"The departure must be from channel {task.Channel} of cluster {clusterId}.");
        }

        return ExactNumbers.IsPosition(departure.BroadcastId) && from is { Lsn: >= 0, TimeTick: >= 0 }
            ? null
            : ApiError.InvalidArgument("The departure's broadcast id must be 1 or above, and its position cannot be negative.");
    }

    private static ApiError? CheckSalvage(SalvageList? salvage)
    {
        if (salvage is null)
        {
            return null;
        }

        if (salvage.Ranges is not { Count: <= SalvageList.MaxRanges } ranges || salvage.ThroughLsn < 0 || salvage.Count < 0)
        {
            return ApiError.InvalidArgument($"A salvage list has at most {SalvageList.MaxRanges} ranges, and nothing negative.");
        }

        var last = 0L;
        foreach (var range in ranges)
        {
            if (range is null || range.FirstLsn <= last || range.LastLsn < range.FirstLsn || range.Count < 1)
            {
                return ApiError.InvalidArgument("The ranges of a salvage list ascend, and none is empty.");
            }

            last = range.LastLsn;
        }

        return null;
    }

    private static bool Same(SalvageList a, SalvageList b) => a.Count == b.Count && a.Ranges.SequenceEqual(b.Ranges);
}
