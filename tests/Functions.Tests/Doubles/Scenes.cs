using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Wal;
using Baton.Functions.Broadcasts;
using Baton.Functions.Cdc;
using Configuration = Baton.Core.Replication.ReplicateConfiguration;

namespace Baton.Functions.Tests.Doubles;

/// <summary>States that tests begin with.</summary>
internal static class Scenes
{
    /// <summary>The message of the broadcast cases.</summary>
    public static BroadcastMessage Drop { get; } = new("drop", ["ch1_vcontrol", "ch1_v1", "ch2_v2"], [new ResourceKey(ResourceDomain.Collection, "orders")], [1, 2, 3]);

    /// <summary>A broadcast of the old primary that reached this cluster, acked by some of its vchannels.</summary>
    public static async Task AddIncompleteAsync(this ControlPlane plane, long broadcastId, IReadOnlyList<string> acked)
    {
        // A tick of 0 is no ack: it only makes the task known.
        await plane.Broadcasts.AckAsync(broadcastId, "ch1_vcontrol", new BroadcastAck(0, 0, 0), Drop, new("a", "x1", 1, 1), default);
        foreach (var vchannel in acked)
        {
            await plane.Broadcasts.AckAsync(broadcastId, vchannel, new BroadcastAck(5, 5, 5), Drop, new("a", "x1", 1, 1), default);
        }
    }

    /// <summary>A configuration of cluster "a" becomes durable on channels of this one, and their nodes ack it; on the first vchannel at <paramref name="firstLsn"/>, on each other one behind.</summary>
    public static async Task ArriveAsync(
        this ControlPlane plane, long broadcastId, Configuration configuration, IReadOnlyList<string> vchannels, long firstLsn = 9, long tick = 1_000, IReadOnlyList<string>? only = null)
    {
        var message = new BroadcastMessage(BroadcastMessage.AlterReplicateConfigKind, vchannels, ResourceLocks.ExclusiveCluster, AlterReplicateConfig: new AlterReplicateConfig(configuration));
        foreach (var (vchannel, at) in vchannels.Select((v, i) => (v, firstLsn + i)).Where(v => only is null || only.Contains(v.v, StringComparer.Ordinal)))
        {
            var ack = new BroadcastAckRequest(vchannel, new BroadcastAck(at, at, tick), message, new SourcePosition("a", $"x-{vchannel}", at, tick));
            var answer = await plane.CallAsync<BroadcastAckReceive>((f, r) => f.RunAsync(r, plane.Engine, default), ack, ("id", $"{broadcastId}"));
            Assert.Equal(200, answer.Status);
        }
    }

    /// <summary><c>GET /api/cdc-tasks</c>.</summary>
    public static async Task<CdcTasksView> TasksAsync(this ControlPlane plane, string? query = null) =>
        (await plane.CallAsync<CdcTasksRead>((f, r) => f.RunAsync(r, default), null, query)).Read<CdcTasksView>();

    /// <summary>The report of a leader, taken.</summary>
    public static async Task ReportAsync(this ControlPlane plane, string channel, string target, CdcReport report) =>
        Assert.Equal(200, (await plane.CallReportAsync(channel, target, report)).Status);

    /// <summary><c>POST /api/cdc-tasks/{channel}/{targetCluster}/report</c>.</summary>
    public static Task<Answer> CallReportAsync(this ControlPlane plane, string channel, string target, CdcReport report) =>
        plane.CallAsync<CdcReportReceive>((f, r) => f.RunAsync(r, default), report, ("channel", channel), ("targetCluster", target));
}

/// <summary>Waits for a condition, bounded.</summary>
internal static class Until
{
    public static async Task TrueAsync(Func<Task<bool>> condition)
    {
        var deadline = DateTime.UtcNow.AddSeconds(60);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "The condition did not come true within 60 s.");
            await Task.Delay(10);
        }
    }
}
