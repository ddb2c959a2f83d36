using Baton.Core.Api;
using Baton.Core.Recovery;
using Baton.Functions.Channels;
using Baton.Functions.Hosting;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Storage.Wal;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>What sees to it that sessions are run.</summary>
[Collection(AzuriteTests.Name)]
public sealed class UnrunSessionTests(AzuriteFixture azurite)
{
    private static readonly ReplicaKey Replica = new("ch1", "n2");

    [Fact]
    public async Task A_session_whose_maker_died_before_it_was_run_is_run_from_the_next_sweep_on()
    {
        await using var plane = await WithReplicaAsync();
        var intent = await IntentAsync(plane);
        await plane.Get<RecoveryStore>().ChangeAsync(Replica.Channel, 1, r => r.Apply(intent), default);
        Assert.Empty(plane.Engine.InstanceIds);

        await SweepAsync(plane);

        await plane.Engine.EndOfAsync(Assert.Single(plane.Engine.InstanceIds, id => id.StartsWith(RecoverySessionInput.IdOf(Replica), StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_session_whose_operation_has_ended_without_it_is_ended_so_that_another_can_be_made()
    {
        await using var plane = await WithReplicaAsync();
        var intent = await IntentAsync(plane);
        var store = plane.Get<RecoveryStore>();
        await store.ChangeAsync(Replica.Channel, 1, r => r.Apply(intent), default);
        var session = (await store.ReadAsync(Replica.Channel, default)).Find(Replica.ReplicaId)!.Session!;
        await store.ChangeAsync(Replica.Channel, 0, r => r.Change(Replica, s => s.BeginConnect(session.Id)), default);

        await SweepAsync(plane);
        await plane.Engine.EndOfAsync(Assert.Single(plane.Engine.InstanceIds, id => id.StartsWith(RecoverySessionInput.IdOf(Replica), StringComparison.Ordinal)));

        Assert.False((await store.ReadAsync(Replica.Channel, default)).Find(Replica.ReplicaId)!.HasActiveSession);
    }

    private async Task<ControlPlane> WithReplicaAsync()
    {
        var plane = await ControlPlane.StartAsync(azurite.NewAccount());
        await plane.Get<WalStore>().PrepareAsync(default);
        await plane.AddNodeAsync("n1");
        await plane.AddNodeAsync("n2");
        var made = await plane.CallAsync<ChannelCreate>((f, r) => f.RunAsync(r, default), new CreateChannelRequest(2), ("name", Replica.Channel));
        Assert.Equal(201, made.Status);
        var state = await plane.StateAsync();
        var channel = state.Channels[Replica.Channel];
        Assert.Equal(("n1", Replica.ReplicaId), (channel.Leader, Assert.Single(channel.Replicas).NodeId));
        await plane.BeatAsync("n1", state.Nodes["n1"].Incarnation, new HeartbeatChannel(Replica.Channel, channel.Term, "leader", 0, 0));
        await plane.BeatAsync("n2", state.Nodes["n2"].Incarnation, new HeartbeatChannel(Replica.Channel, channel.Term, "replica", 0, 0, State: FollowState.Following));
        return plane;
    }

    private static async Task<AssignmentIntent> IntentAsync(ControlPlane plane)
    {
        var state = await plane.StateAsync();
        return new AssignmentIntent(
            Replica.Channel,
            state.Channels[Replica.Channel].Term,
            [new AssignedReplica(Replica.ReplicaId, RecoveryPlan.EndpointOf(state.Nodes[Replica.ReplicaId]))],
            new Dictionary<string, SessionKind> { [Replica.ReplicaId] = SessionKind.Bootstrap },
            plane.Get<RecoveryOptions>().Budget);
    }

    private static Task<bool> SweepAsync(ControlPlane plane) => plane.RunAsync<RecoverySweep, bool>(async f =>
    {
        await f.RunAsync(new TimerInfo(false), plane.Engine, default);
        return true;
    });
}
