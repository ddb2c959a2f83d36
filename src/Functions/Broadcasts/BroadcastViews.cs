using Baton.Core.Api;
using Baton.Core.Broadcasts;

namespace Baton.Functions.Broadcasts;

/// <summary>Tasks as the API shows them.</summary>
internal static class BroadcastViews
{
    /// <summary>The view of a task.</summary>
    public static BroadcastView ToView(this BroadcastTask task) => new(
        task.BroadcastId,
        task.Message.Kind,
        task.State,
        task.State is BroadcastState.Pending or BroadcastState.Replicated ? task.PendingVChannels : [],
        [.. task.Message.VChannels
            .Where(v => task.Acks.ContainsKey(v))
            .Select(v => new BroadcastAckView(v, task.Acks[v].Lsn, task.Acks[v].TimeTick))],
        task.CreatedAt);

    /// <summary>The operation that carries a broadcast out.</summary>
    public static string OperationId(long broadcastId) => $"broadcast-{broadcastId}";
}
