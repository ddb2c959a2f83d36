using System.Globalization;
using Baton.Core.Recovery;
using Baton.DevHost.Clusters;
using Baton.DevHost.FunctionsHost;
using Baton.Testing;

namespace Baton.DevHost.Tests.EndToEnd;

/// <content>Sessions whose control plane dies at a drawn step, and their nodes with it.</content>
public sealed partial class RecoverySessionTests
{
    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("BATON_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : Random.Shared.Next(1_000_000);

    private static readonly (string Function, int Calls)[] Steps =
        [("RecoverySweep", 4), ("RecoverySession", 20), ("TakeRecovery", 3), ("CarryOutRecovery", 20), ("CarryOutRecovery", 20), ("CarryOutRecovery", 20), ("FinishOperation", 3), ("RepairReplicas", 2)];

    /// <summary>A failure names its seed: set <c>BATON_SEED</c> to begin there. What is drawn is the same then; what it hits depends on the machine.</summary>
    [Fact]
    public async Task A_session_whose_control_plane_and_node_are_killed_at_any_moment_ends_and_no_replica_is_in_sync_that_lacks_a_record()
    {
        for (var round = 0; round < Sampled.Count(1, 25); round++)
        {
            // Neighbouring seeds begin alike: they are spread.
            var draw = new KillDraw(new Random(unchecked((int)((uint)(Seed + round) * 2654435761u))));
            output.WriteLine($"BATON_SEED={Seed + round}: {draw}");
            try
            {
                await fixture.WholeAsync();
                await RoundAsync(draw);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"BATON_SEED={Seed + round}: {draw}\n{e.Message}", e);
            }
        }
    }

    private async Task RoundAsync(KillDraw draw)
    {
        var (leader, replicas, _) = await fixture.NodesAsync(Channel);
        var node = replicas[draw.Replica];
        var (session, life) = (await fixture.LastSessionAsync(Channel, node), await fixture.IncarnationAsync(node));
        await Cluster.KillNodeAsync(node);
        if (draw.Foreign > 0)
        {
            await AddForeignRecordsAsync(Channel, node, draw.Foreign);
        }

        var last = await fixture.WriteAsync(Channel, draw.Records);
        await Cluster.CrashControlPlaneAsync(draw.Crash, CancellationToken.None);
        await Cluster.StartNodeAsync(node, CancellationToken.None);

        await Task.WhenAll(ControlPlaneDiesAsync(node, life), NodeDiesAsync(node, session, draw), draw.LeaderToo ? LeaderDiesAsync(leader, node, session) : Task.CompletedTask);

        await fixture.WholeAsync();
        await fixture.AssertCopyAsync(Channel, node, last);
        await fixture.FollowedAsync(Channel, last);
        foreach (var replica in (await fixture.NodesAsync(Channel)).Replicas)
        {
            await fixture.AssertCopyAsync(Channel, replica, last);
        }

        await EndedAsync(session, Channel, node);
    }

    /// <summary>At its crash point; where it does not come there, when everything is done.</summary>
    private async Task ControlPlaneDiesAsync(int node, long life)
    {
        var died = Cluster.WaitForControlPlaneExitAsync(CancellationToken.None);
        var done = DoneAsync();
        if (await Task.WhenAny(died, done) == done)
        {
            await done;
            await Cluster.KillControlPlaneAsync();
        }

        await died.WaitAsync(RecoveryCluster.Patience);
        await Cluster.StartControlPlaneAsync(null, CancellationToken.None);
        await done;

        async Task DoneAsync()
        {
            await fixture.RejoinedAsync(node, life);
            await fixture.InSyncAsync(Channel);
        }
    }

    private async Task NodeDiesAsync(int node, long session, KillDraw draw)
    {
        if (draw.NodeIn is { } phase)
        {
            await RunsAsync(node, session, phase);
            await Cluster.KillNodeAsync(node);
            await Cluster.StartNodeAsync(node, CancellationToken.None);
        }
    }

    private async Task LeaderDiesAsync(int leader, int node, long session)
    {
        await RunsAsync(node, session, SessionPhase.Connecting);
        await Cluster.KillNodeAsync(leader);
        await Cluster.StartNodeAsync(leader, CancellationToken.None);
    }

    /// <summary>Waits until a session after <paramref name="before"/> is in that phase, or is over.</summary>
    /// <returns>The session; null where it is over.</returns>
    private async Task<RecoverySession?> RunsAsync(int node, long before, SessionPhase phase)
    {
        RecoverySession? session = null;
        await ClusterClient.UntilAsync(
            $"a session of {Cluster.NodeId(node)} comes to {phase}",
            async () =>
            {
                session = (await fixture.ReplicasAsync(Channel)).SingleOrDefault(r => r.ReplicaId == Cluster.NodeId(node))?.Session is { IsActive: true } active && active.Id > before ? active : null;
                return session is null ? (await fixture.LoggedAsync(Channel, node)).Any(e => e.SessionId > before) : session.Phase >= phase;
            },
            RecoveryCluster.Patience,
            CancellationToken.None);
        return session;
    }

    /// <summary>What happens in a round.</summary>
    private sealed record KillDraw(int Replica, int Foreign, int Records, CrashPoint Crash, SessionPhase? NodeIn, bool LeaderToo)
    {
        private static readonly SessionPhase?[] Phases = [null, SessionPhase.Init, SessionPhase.Connecting, SessionPhase.Handshake, SessionPhase.Catchup];

        public KillDraw(Random random)
            : this(
                random.Next(RecoveryCluster.Nodes - 1),
                random.Next(4) == 0 ? 0 : random.Next(1, 2000),
                random.Next(1, 4000),
                Draw(random),
                Phases[random.Next(Phases.Length)],
                random.Next(4) == 0)
        {
        }

        // Several channels have sessions at once, each of which calls what carries it out half a dozen times.
        private static CrashPoint Draw(Random random)
        {
            var (function, calls) = Steps[random.Next(Steps.Length)];
            return new CrashPoint(function, random.Next(2) == 1, random.Next(1, calls + 1));
        }
    }
}
