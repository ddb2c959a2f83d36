using Baton.Core.Recovery;
using Baton.Functions.Recovery;
using Baton.Functions.Tests.Doubles;
using Baton.Testing;

namespace Baton.Functions.Tests.Recovery;

/// <summary>What sees to it that sessions are run.</summary>
public sealed class UnrunSessionTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>
{
    private static readonly ReplicaKey Replica = new("ch1", "n2");

    [Fact]
    public async Task A_session_whose_maker_died_before_it_was_run_is_run_from_the_next_sweep_on()
    {
        await using var plane = await WithUnrunSessionAsync();
        Assert.Empty(plane.Engine.InstanceIds);

        await plane.SweepRecoveriesAsync();

        await plane.Engine.EndOfAsync(TheRun(plane));
        Assert.True((await plane.SenderAsync())!.IsInSync);
    }

    [Fact]
    public async Task A_session_whose_operation_has_ended_without_it_is_ended_so_that_another_can_be_made()
    {
        await using var plane = await WithUnrunSessionAsync();
        var session = (await plane.SenderAsync())!.Session!;
        await plane.Get<RecoveryStore>().ChangeAsync(Replica.Channel, 0, r => r.Change(Replica, s => s.BeginConnect(session.Id)), default);

        await plane.SweepRecoveriesAsync();

        await plane.Engine.EndOfAsync(TheRun(plane));
        Assert.False((await plane.SenderAsync())!.HasActiveSession);
        Assert.Empty(plane.Node(Replica.ReplicaId).Calls);
    }

    private async Task<ControlPlane> WithUnrunSessionAsync()
    {
        var plane = await azurite.StartRecoveriesAsync();
        var state = await plane.StateAsync();
        var intent = new AssignmentIntent(
            Replica.Channel,
            state.Channels[Replica.Channel].Term,
            [new AssignedReplica(Replica.ReplicaId, RecoveryPlan.EndpointOf(state.Nodes[Replica.ReplicaId]))],
            new Dictionary<string, SessionKind> { [Replica.ReplicaId] = SessionKind.Bootstrap },
            plane.Get<RecoveryOptions>().Budget);
        await plane.Get<RecoveryStore>().ChangeAsync(Replica.Channel, 1, r => r.Apply(intent), default);
        return plane;
    }

    private static string TheRun(ControlPlane plane) => Assert.Single(plane.Engine.InstanceIds, id => id.StartsWith(RecoverySessionInput.IdOf(Replica), StringComparison.Ordinal));
}
