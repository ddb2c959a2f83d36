using Baton.Core.Api;
using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>Whatever happens to a cluster: any event, any number, in any order.</summary>
internal static class ClusterStories
{
    public static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch.AddDays(20_000);
    public static readonly TimeSpan Cooldown = FailoverPlanner.DefaultSuspicionCooldown;
    private static readonly TimeSpan HeartbeatTimeout = TimeSpan.FromSeconds(3);
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4"];
    private static readonly string[] ChannelNames = [MetadataChannel.Name, "ch1", "ch2", "ch3", "ch4"];

    /// <summary>One thing that happens, at a time after the one before.</summary>
    /// <param name="What">Its name, to read a failing series.</param>
    /// <param name="AfterSeconds">How long after the one before.</param>
    /// <param name="Apply">The state that it leads to; the same object where nothing is written.</param>
    public sealed record Step(string What, int AfterSeconds, Func<ClusterState, DateTimeOffset, ClusterState> Apply)
    {
        public override string ToString() => $"+{AfterSeconds}s {What}";
    }

    /// <summary>Nodes, each with its zone, and channels with up to three copies, some of them in sync.</summary>
    public static ClusterState Begin { get; } = Populated();

    public static Gen<Step> Steps { get; } =
        from after in Gen.Elements(0, 0, 1, 5, 40)
        from node in Gen.Elements(NodeIds)
        from channel in Gen.Elements(ChannelNames)
        from policy in Gen.Elements(LeaderPolicy.PreferCoordinator, LeaderPolicy.Spread)
        from instance in Gen.Elements("a", "b", "c")
        from account in Gen.Elements<FollowState?>(null, FollowState.Disconnected, FollowState.CatchingUp, FollowState.Following, FollowState.Diverged, FollowState.NeedsRebuild)
        from inSync in Gen.Elements(true, false)
        from what in Gen.Elements("suspicion", "silence", "operator", "leaving", "cannot lead", "cannot lead any", "join", "join", "join", "move", "drain", "undrain", "remove", "repair", "recovered", "rebalance", "rebalance", "take back")
        select new Step($"{what} {node} {channel} {policy} {instance} {account}", after, (s, now) => what switch
        {
            "suspicion" => Fail(s, new FailureEvidence(node, FailureEvidenceKind.Suspicion), now, policy),
            "silence" => Fail(s, new FailureEvidence(node, FailureEvidenceKind.HeartbeatLost), now, policy),
            "operator" => Fail(s, new FailureEvidence(node, FailureEvidenceKind.Operator), now, policy),
            "leaving" => Fail(s, new FailureEvidence(node, FailureEvidenceKind.Leaving, s.Nodes.GetValueOrDefault(node)?.Incarnation), now, policy),
            "cannot lead" => Fail(s, new FailureEvidence(s.Channels[channel].Leader ?? node, FailureEvidenceKind.CannotLead, null, [States.At(s, channel)]), now, policy),
            "cannot lead any" => Fail(s, new FailureEvidence(s.Channels[channel].Leader ?? node, FailureEvidenceKind.CannotLead, null, [.. s.Channels.Keys.Select(c => States.At(s, c))]), now, policy),
            "join" => ClusterMembership.Join(s, node, new Uri($"http://{node}"), null, null, instance, policy).State,
            "move" => Switchover.Move(s, channel, node).State,
            "drain" => Switchover.Drain(s, node, policy).State,
            "undrain" => Switchover.Undrain(s, node).State,
            "remove" => Switchover.Remove(s, node, now).State,
            "repair" => ReplicaSets.Repair(s, Beats(s, channel, account, now), HeartbeatTimeout, now),
            "recovered" => Recovered(s, channel, inSync),
            "rebalance" => LeavingCopies.Mark(s, RebalancePlanner.Replicas(s), 2),
            "take back" => LeavingCopies.TakeBack(s),
            _ => throw new InvalidOperationException(what),
        });

    /// <summary>Every state that a series leads through, each with the one before and what happened.</summary>
    public static IEnumerable<(ClusterState Before, Step Step, DateTimeOffset At, ClusterState After)> Tell(IEnumerable<Step> steps)
    {
        var (state, now) = (Begin, Start);
        foreach (var step in steps)
        {
            now = now.AddSeconds(step.AfterSeconds);
            var after = step.Apply(state, now);
            yield return (state, step, now, after);
            state = after;
        }
    }

    /// <summary>Checks a property of every step of every series.</summary>
    public static void Always(Func<ClusterState, Step, DateTimeOffset, ClusterState, bool> holds) => Prop.ForAll(Steps.ListOf().ToArbitrary(), steps =>
    {
        var told = 0;
        foreach (var (before, step, at, after) in Tell(steps))
        {
            told++;
            if (!holds(before, step, at, after))
            {
                return false.Label($"step {told}, {step}");
            }
        }

        return true.Label("all steps");
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    /// <summary>Beats of every live node: its channels by the state, and of what it follows, <paramref name="account"/>.</summary>
    public static IReadOnlyDictionary<string, NodeBeat> Beats(ClusterState state, string channel, FollowState? account, DateTimeOffset now) => state.Nodes
        .Where(n => n.Value.IsLive)
        .ToDictionary(
            n => n.Key,
            n => new NodeBeat(now, [.. Assignments.For(state, n.Key).Select(a => new HeartbeatChannel(
                a.Channel, a.Term, a.Role, 5, 5, State: a.Role == Assignments.Leader ? null : a.Channel == channel ? account : FollowState.Following))]),
            StringComparer.Ordinal);

    private static ClusterState Fail(ClusterState state, FailureEvidence evidence, DateTimeOffset now, LeaderPolicy policy) => FailoverPlanner.Plan(state, evidence, Cooldown, now, policy).State;

    // What recovery sessions do: a replica becomes ready.
    private static ClusterState Recovered(ClusterState state, string name, bool sync)
    {
        var channel = state.Channels[name];
        if (channel.Replicas.FirstOrDefault(r => state.Nodes[r.NodeId].IsLive) is not { } replica)
        {
            return state;
        }

        var ready = replica with { State = ReplicaProgress.InSync, Mode = sync ? ReplicaMode.Sync : ReplicaMode.Async };
        if (ready == replica)
        {
            return state;
        }

        var after = channel with { Replicas = [.. channel.Replicas.Select(r => r == replica ? ready : r)] };
        return state with { Version = state.Version + 1, Channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal) { [name] = after } };
    }

    private static ClusterState Populated()
    {
        var state = ClusterState.Empty("b");
        for (var i = 0; i < NodeIds.Length; i++)
        {
            state = ClusterMembership.Join(state, NodeIds[i], new Uri($"http://{NodeIds[i]}"), i % 2 == 0 ? "z1" : "z2", null, "a").State;
            state = PartitionInitializer.InitializeMetadata(state, LeaderPolicy.Spread).State;
        }

        for (var i = 1; i < ChannelNames.Length; i++)
        {
            state = States.With(state, ChannelNames[i], 1 + (i % 3));
        }

        return state;
    }
}
