using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using Baton.Functions.Hosting;
using Baton.Functions.Nodes;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Storage.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>Channels led by n1 whose other copies are on further nodes, and what is done and seen of their recoveries.</summary>
internal static class RecoveryScene
{
    /// <summary>Events after which a session does nothing more but let go of the log.</summary>
    public static readonly IReadOnlySet<string> Ends = new HashSet<string>(StringComparer.Ordinal)
    {
        RecoveryEvents.SessionInvalidated, RecoveryEvents.ConnectFailed, RecoveryEvents.HandshakeFailed, RecoveryEvents.Escalated, RecoveryEvents.CatchupBeginFailed, RecoveryEvents.CatchupProgressFailed,
        RecoveryEvents.BudgetEscalated, RecoveryEvents.TruncationFailed, RecoveryEvents.CompletionRejected, RecoveryEvents.Completed, RecoveryEvents.RebuildConnectFailed, RecoveryEvents.RebuildSourceFailed,
        RecoveryEvents.RebuildFailed, RecoveryEvents.RebuildCompleted, RecoveryEvents.PinFailed,
    };

    /// <summary>Longer than a replica whose session failed is left alone.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(11);

    public static NodeDouble Node(this ControlPlane plane, string nodeId) => plane.Nodes.Single(n => n.NodeId == nodeId);

    public static ReplicaDouble Replica(this ControlPlane plane, string nodeId = "n2", string channel = "ch1") => plane.Node(nodeId).Replicas[channel];

    public static LogDouble Log(this ControlPlane plane, string channel = "ch1") => plane.Logs.Records[channel];

    /// <summary>A cluster of n1, which leads, and as many other nodes as asked for, each with an empty copy of every channel.</summary>
    public static Task<ControlPlane> StartRecoveriesAsync(this AzuriteFixture azurite, params (string Name, string Value)[] settings) => azurite.StartRecoveriesAsync(["ch1"], replicas: 1, settings);

    public static async Task<ControlPlane> StartRecoveriesAsync(this AzuriteFixture azurite, string[] channels, int replicas, params (string Name, string Value)[] settings)
    {
        // Beats are the tests' own: a busy machine must not make them old.
        var plane = await ControlPlane.StartAsync(azurite.NewAccount(), null, [("Failover:HeartbeatTimeoutMs", "600000"), ("Recovery:StepWaitMs", "0"), .. settings]);
        plane.Engine.Timers = Timers.WhenIdle;
        await plane.AddNodeAsync("n1");
        foreach (var channel in channels)
        {
            await plane.AddChannelAsync(channel);
        }

        for (var n = 2; n <= replicas + 1; n++)
        {
            await plane.AddNodeAsync($"n{n}");
        }

        var logs = plane.Get<WalStore>();
        await logs.PrepareAsync(default);
        foreach (var channel in channels)
        {
            var log = plane.Logs.Records[channel] = new LogDouble();
            foreach (var node in plane.Nodes)
            {
                node.Open.TryRemove(channel, out _);
                if (node.NodeId != "n1")
                {
                    node.Replicas[channel] = new ReplicaDouble(log);
                }
            }

            plane.Nodes[0].Open[channel] = 1;
            await (await logs.OpenAsync(channel, 1, "n1", null, default)).DisposeAsync();
        }

        await plane.ChangeChannelsAsync(c => c with
        {
            Leader = "n1",
            Term = 1,
            ReplicationFactor = replicas + 1,
            Replicas = [.. plane.Nodes.Skip(1).Select(n => new ReplicaState(n.NodeId, ReplicaMode.Sync, ReplicaProgress.Disconnected, 0))],
        });
        await plane.BeatRecoveriesAsync();
        plane.Storage.Clear();
        return plane;
    }

    /// <summary>Changes the clients' channels; that of the metadata has no copies to recover.</summary>
    public static Task ChangeChannelsAsync(this ControlPlane plane, Func<ChannelState, ChannelState> change) => plane.States.UpdateAsync(
        s => s with { Version = s.Version + 1, Channels = s.Channels.ToDictionary(c => c.Key, c => MetadataChannel.Is(c.Key) ? c.Value : change(c.Value), StringComparer.Ordinal) }, default);

    public static Task ChangeNodeAsync(this ControlPlane plane, string nodeId, Func<NodeState, NodeState> change) => plane.States.UpdateAsync(
        s => s with { Version = s.Version + 1, Nodes = s.Nodes.ToDictionary(n => n.Key, n => n.Key == nodeId ? change(n.Value) : n.Value, StringComparer.Ordinal) }, default);

    /// <summary>A failover that nothing but the term tells of: every channel has the same leader at the next term.</summary>
    public static async Task RaiseTermAsync(this ControlPlane plane)
    {
        await plane.ChangeChannelsAsync(c => c with { Term = c.Term + 1 });
        foreach (var (name, channel) in (await plane.StateAsync()).PChannels)
        {
            plane.Node(channel.Leader!).Open[name] = channel.Term;
        }
    }

    /// <summary>A beat of every node: what it leads, and how its copies are.</summary>
    public static async Task BeatRecoveriesAsync(this ControlPlane plane)
    {
        foreach (var node in plane.Nodes)
        {
            await plane.BeatRecoveriesAsync(node);
        }
    }

    public static Task BeatRecoveriesAsync(this ControlPlane plane, NodeDouble node) => plane.Get<HeartbeatStore>().WriteAsync(
        node.NodeId,
        [
            .. node.Open.Select(o => (o.Key, o.Value, Lsn: plane.Logs.Records.TryGetValue(o.Key, out var log) ? log.CommittedLsn : 0)).Select(o => new HeartbeatChannel(o.Key, o.Value, Assignments.Leader, o.Lsn, o.Lsn)),
            .. node.Replicas.Select(r => new HeartbeatChannel(r.Key, 1, Assignments.Replica, r.Value.FlushedLsn, r.Value.FlushedLsn, State: r.Value.State)),
        ],
        default);

    public static Task SweepRecoveriesAsync(this ControlPlane plane) => plane.RunAsync<RecoverySweep, bool>(async f =>
    {
        await f.RunAsync(new TimerInfo(false), plane.Engine, default);
        return true;
    });

    /// <summary>A sweep, and all that it has begun to its end.</summary>
    public static async Task RecoverAsync(this ControlPlane plane)
    {
        await plane.SweepRecoveriesAsync();
        await plane.RecoveriesAreOverAsync();
    }

    public static Task RecoveriesAreOverAsync(this ControlPlane plane) => Until.TrueAsync(async () => !(await plane.Operations.ListRunningAsync(default)).Any());

    /// <summary>The operation of a replica's recoveries ends, with whatever attempts it takes.</summary>
    public static Task RecoveriesAreOverWithSweepsAsync(this ControlPlane plane) => Until.TrueAsync(async () =>
    {
        await plane.SweepAsync();
        return !(await plane.Operations.ListRunningAsync(default)).Any();
    });

    public static async Task<ReplicaSender?> SenderAsync(this ControlPlane plane, string nodeId = "n2", string channel = "ch1") => (await plane.Get<RecoveryStore>().ReadAsync(channel, default)).Find(nodeId);

    /// <summary>What happened, oldest first.</summary>
    public static async Task<IReadOnlyList<RecoveryEntry>> EventsAsync(this ControlPlane plane, string? channel = null, string? replica = null) =>
        [.. (await plane.Get<RecoveryLogStore>().ReadAsync(channel, replica, RecoveryLogStore.MaxEntries, default)).Reverse()];

    /// <summary>The same as texts: name and detail.</summary>
    public static async Task<IReadOnlyList<string>> EventTextsAsync(this ControlPlane plane, long session = 1) =>
        [.. (await plane.EventsAsync()).Where(e => e.SessionId == session).Select(e => e.Detail.Length == 0 ? e.Event : $"{e.Event} {e.Detail}")];

    /// <summary><c>DELETE /api/recovery/channels/{channel}/replicas/{nodeId}/session</c>.</summary>
    public static Task<Answer> CancelAsync(this ControlPlane plane, string channel, string nodeId) =>
        plane.CallAsync<RecoveryCancel>((f, r) => f.RunAsync(r, plane.Engine, default), null, ("channel", channel), ("nodeId", nodeId));

    public static async Task<IReadOnlyList<WalPin>> PinsAsync(this ControlPlane plane, string channel = "ch1") => (await plane.Get<WalStore>().ReadManifestAsync(channel, default))!.Pins;

    public static async Task<ReplicaProgress> ReadinessAsync(this ControlPlane plane, string nodeId = "n2", string channel = "ch1") =>
        (await plane.StateAsync()).Channels[channel].Replicas.Single(r => r.NodeId == nodeId).State;

    /// <summary>What must hold when nothing is under way, however it came there: the log is free, each session that is over has ended once, ids rise, and who counts as in sync has what is committed.</summary>
    /// <param name="plane">The cluster.</param>
    /// <param name="isReleased">Whether the replicas have been let go of, as they are but by a run that was lost.</param>
    public static async Task AssertSoundAsync(this ControlPlane plane, bool isReleased = true)
    {
        foreach (var channel in plane.Logs.Records.Keys)
        {
            Assert.Empty(await plane.PinsAsync(channel));
            foreach (var node in plane.Nodes.Where(n => n.Replicas.ContainsKey(channel)))
            {
                if (await plane.SenderAsync(node.NodeId, channel) is { IsInSync: true })
                {
                    Assert.True(node.Replicas[channel].HasTheLog, $"{channel} on {node.NodeId} is called in sync and is not");
                }

                Assert.True(!isReleased || node.Replicas[channel].Bound == 0, $"{channel} on {node.NodeId} still obeys session {node.Replicas[channel].Bound}");
            }
        }

        var events = await plane.EventsAsync();
        Assert.Equal(events.Distinct(), events);
        foreach (var session in events.Where(e => e.SessionId > 0).GroupBy(e => e.SessionId))
        {
            Assert.Single(session, e => Ends.Contains(e.Event));
            Assert.All(session.SkipWhile(e => !Ends.Contains(e.Event)).Skip(1), e => Assert.Equal(RecoveryEvents.PinsReleased, e.Event));
            Assert.Equal(RecoveryEvents.SessionCreated, session.First().Event);
        }

        foreach (var replica in events.Where(e => e.Event == RecoveryEvents.SessionCreated).GroupBy(e => (e.Channel, e.Replica)))
        {
            Assert.Equal(replica.Select(e => e.SessionId).Order(), replica.Select(e => e.SessionId));
        }
    }

    /// <summary>The next call of <paramref name="verb"/> hangs until it is let go.</summary>
    public static (Task Asked, TaskCompletionSource LetGo) HangAt(this NodeDouble node, string verb)
    {
        var (asked, letGo) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        node.Intercept = async call =>
        {
            if (call.Verb == verb && asked.TrySetResult())
            {
                await letGo.Task;
            }

            return null;
        };
        return (asked.Task.WaitAsync(TimeSpan.FromSeconds(60)), letGo);
    }
}
