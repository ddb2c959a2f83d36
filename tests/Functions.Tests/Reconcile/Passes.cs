using System.Text;
using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Operations;
using Baton.Functions.Nodes;
using Baton.Functions.Reconcile;
using Baton.Functions.Tests.Doubles;
using Baton.Functions.Timeline;

namespace Baton.Functions.Tests.Reconcile;

/// <summary>Passes of reconciliation, asked for and looked at.</summary>
internal static class Passes
{
    public static string Message() => JsonSerializer.Serialize(new RoutineReconcileMessage(Guid.NewGuid().ToString("N"), "test", DateTimeOffset.UtcNow), BatonJson.Options);

    public static Task<RoutineReconcileOutputs> AskAsync(this ControlPlane plane, string? body = null) =>
        plane.RunAsync<RoutineReconcile, RoutineReconcileOutputs>(f => f.RunAsync(Encoding.UTF8.GetBytes(body ?? Message()), plane.Engine, default));

    /// <summary>A pass from its message to its end.</summary>
    /// <returns>What the timeline says of it.</returns>
    public static async Task<TimelineEntry> PassAsync(this ControlPlane plane)
    {
        var before = (await plane.PassesAsync()).Select(e => e.Id).ToHashSet(StringComparer.Ordinal);
        await plane.AskAsync();
        await plane.PassIsOverAsync();
        return (await plane.PassesAsync()).Single(e => !before.Contains(e.Id));
    }

    public static async Task<IReadOnlyList<TimelineEntry>> PassesAsync(this ControlPlane plane) => [.. (await plane.TimelineAsync()).Where(e => e.Kind == TimelineKinds.Reconciled)];

    public static Task PassIsOverAsync(this ControlPlane plane, Action? meanwhile = null) => Until.TrueAsync(async () =>
    {
        meanwhile?.Invoke();
        return await plane.Operations.ReadAsync(RoutineReconcile.OperationId, default) is { Status: not OperationStatus.Running };
    });

    /// <summary>Takes an address in as a node.</summary>
    public static async Task JoinAsync(this ControlPlane plane, string nodeId, Uri endpoint) => Assert.Equal(
        200, (await plane.CallAsync<NodeJoin>(async (f, r) => (await f.RunAsync(r, default)).Answer, new JoinNodeRequest(endpoint), ("nodeId", nodeId))).Status);

    /// <summary>A beat of every node with exactly what it has open.</summary>
    public static async Task BeatAsync(this ControlPlane plane)
    {
        foreach (var node in plane.Nodes)
        {
            await plane.Get<HeartbeatStore>().WriteAsync(node.NodeId, [.. node.Open.Select(c => new HeartbeatChannel(c.Key, c.Value, Assignments.Leader, 0, 0))], default);
        }
    }

    public static void ForgetCalls(this ControlPlane plane)
    {
        foreach (var node in plane.Nodes)
        {
            node.Calls.Clear();
        }

        plane.Storage.Clear();
    }
}
