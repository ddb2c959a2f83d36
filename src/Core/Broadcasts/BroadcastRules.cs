using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Core.Broadcasts;

/// <summary>
/// The life of a broadcast task: created (<see cref="BroadcastState.Pending"/>) or learnt from an ack
/// (<see cref="BroadcastState.Replicated"/>), acked vchannel by vchannel, and, after its callback, a tombstone.
/// </summary>
public static class BroadcastRules
{
    /// <summary>Null where <paramref name="message"/> can be broadcast, else what is wrong with it.</summary>
    /// <param name="message">The message, in this cluster's names.</param>
    /// <param name="channels">The channels of this cluster.</param>
    public static ApiError? Check(BroadcastMessage message, IReadOnlyCollection<string> channels)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(channels);
        if (string.IsNullOrEmpty(message.Kind) || message.Kind.Length > Names.MaxLength || message.Kind.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')))
        {
            return ApiError.InvalidArgument("kind must be 1 to 63 letters, digits, '.', '_' or '-'");
        }

        if (IsConfigChange(message) != (message.AlterReplicateConfig is not null))
        {
            return ApiError.InvalidArgument($"kind {BroadcastMessage.AlterReplicateConfigKind} and a configuration belong together");
        }

        if (message.VChannels is not { Count: > 0 })
        {
            return ApiError.InvalidArgument("vchannels cannot be empty");
        }

        return CheckVChannels(message.VChannels, channels) ?? CheckKeys(message.ResourceKeys);
    }

    /// <summary>A new task of this cluster.</summary>
    public static BroadcastTask Create(long broadcastId, BroadcastMessage message, DateTimeOffset now)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(broadcastId, 1);
        return new BroadcastTask(broadcastId, message, BroadcastState.Pending, NoAcks, now);
    }

    /// <summary>
    /// The task after an ack, or <paramref name="task"/> itself where the ack changes nothing: it is a repeat, the task is a
    /// tombstone, the message does not name the vchannel, or the ack's time tick is 0. An unknown id makes a replicated task.
    /// </summary>
    /// <param name="task">The task as stored, or null.</param>
    /// <param name="broadcastId">Its id.</param>
    /// <param name="vchannel">The vchannel whose record is durable, in this cluster's names.</param>
    /// <param name="ack">Where it stands.</param>
    /// <param name="message">The message of the record, from which an unknown task is made.</param>
    /// <param name="now">When the ack came.</param>
    public static BroadcastTask Ack(BroadcastTask? task, long broadcastId, string vchannel, BroadcastAck ack, BroadcastMessage message, DateTimeOffset now)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(broadcastId, 1);
        ArgumentNullException.ThrowIfNull(ack);
        ArgumentNullException.ThrowIfNull(message);
        task ??= new BroadcastTask(broadcastId, message, BroadcastState.Replicated, NoAcks, now);
        var changes = task.State is BroadcastState.Pending or BroadcastState.Replicated
            && ack.TimeTick > 0
            && task.PendingVChannels.Contains(vchannel, StringComparer.Ordinal);
        return changes
            ? task with { Acks = new Dictionary<string, BroadcastAck>(task.Acks, StringComparer.Ordinal) { [vchannel] = ack } }
            : task;
    }

    /// <summary>Whether every vchannel has acked and the callback is still to be done.</summary>
    public static bool AllAcked(BroadcastTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.State is BroadcastState.Pending or BroadcastState.Replicated && task.PendingVChannels.Count == 0;
    }

    /// <summary>The task after its callback. A second time changes nothing.</summary>
    public static BroadcastTask Tombstone(BroadcastTask task, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.State is BroadcastState.Tombstone or BroadcastState.Done
            ? task
            : task with { State = BroadcastState.Tombstone, TombstonedAt = now };
    }

    /// <summary>The task before anything of it was appended, given up. It ends without a callback.</summary>
    public static BroadcastTask Refuse(BroadcastTask task, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.State == BroadcastState.Pending && task.Acks.Count == 0 ? task with { State = BroadcastState.Done, TombstonedAt = now } : task;
    }

    /// <summary>What is shown of a task whose tombstone is gone.</summary>
    public static BroadcastTask Collected(long broadcastId, BroadcastMessage message, DateTimeOffset now) => new(broadcastId, message, BroadcastState.Done, NoAcks, now);

    /// <summary>The task with its change of configuration marked superseded: what is still appended of it changes nothing.</summary>
    public static BroadcastTask MarkIgnored(BroadcastTask task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.Message.AlterReplicateConfig is { Ignored: false } change
            ? task with { Message = task.Message with { AlterReplicateConfig = change with { Ignored = true } } }
            : task;
    }

    /// <summary>
    /// What a promotion completes: every task that is not delivered everywhere, in the order of the ids. A change of configuration
    /// among them is older than the promotion and must be marked ignored, and that stored, before any of it is appended.
    /// </summary>
    /// <param name="tasks">All tasks, in any order.</param>
    /// <param name="promotionBroadcastId">The promotion's own broadcast, which is not completed here.</param>
    public static IReadOnlyList<SupplementStep> Supplement(IEnumerable<BroadcastTask> tasks, long promotionBroadcastId) =>
        [.. tasks
            .Where(t => t.BroadcastId != promotionBroadcastId && t.State is BroadcastState.Pending or BroadcastState.Replicated && t.PendingVChannels.Count > 0)
            .OrderBy(t => t.BroadcastId)
            .Select(t => new SupplementStep(t, t.PendingVChannels, IsConfigChange(t.Message) && t.Message.AlterReplicateConfig is { Ignored: false }))];

    /// <summary>Whether <paramref name="message"/> changes the replicate configuration.</summary>
    public static bool IsConfigChange(BroadcastMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return string.Equals(message.Kind, BroadcastMessage.AlterReplicateConfigKind, StringComparison.Ordinal);
    }

    private static IReadOnlyDictionary<string, BroadcastAck> NoAcks { get; } = new Dictionary<string, BroadcastAck>(StringComparer.Ordinal);

    private static ApiError? CheckVChannels(IReadOnlyList<string> vchannels, IReadOnlyCollection<string> channels)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var vchannel in vchannels)
        {
            if (!VChannels.IsValid(vchannel))
            {
                return ApiError.InvalidArgument($"vchannel {vchannel} must be a channel's name, or one followed by _v and a suffix");
            }

            if (!channels.Contains(VChannels.ChannelOf(vchannel), StringComparer.Ordinal))
            {
                return ApiError.InvalidArgument($"vchannel {vchannel} is on channel {VChannels.ChannelOf(vchannel)}, which this cluster does not have");
            }

            if (!seen.Add(vchannel))
            {
                return ApiError.InvalidArgument($"vchannel {vchannel} is listed twice");
            }
        }

        return null;
    }

    private static ApiError? CheckKeys(IReadOnlyList<ResourceKey>? keys)
    {
        var seen = new HashSet<(ResourceDomain, string)>();
        foreach (var key in keys ?? [])
        {
            if (key is null || string.IsNullOrEmpty(key.Key))
            {
                return ApiError.InvalidArgument("a resource key cannot be empty");
            }

            if (!seen.Add((key.Domain, key.Key)))
            {
                return ApiError.InvalidArgument($"resource key {key.Domain} {key.Key} is listed twice");
            }
        }

        return null;
    }
}

/// <summary>One broadcast that a promotion completes.</summary>
/// <param name="Task">The task as it stands.</param>
/// <param name="PendingVChannels">Where it is missing.</param>
/// <param name="MarkIgnored">It is a stale change of configuration: mark it ignored, and store that, first.</param>
public sealed record SupplementStep(BroadcastTask Task, IReadOnlyList<string> PendingVChannels, bool MarkIgnored);
