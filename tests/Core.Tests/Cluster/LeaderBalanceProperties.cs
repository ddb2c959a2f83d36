using Baton.Core.Api;
using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>A plan leaves the load no less even than necessary: against every other plan that gives each channel one of its best candidates.</summary>
public sealed class LeaderBalanceProperties
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    // Few enough for all plans to be tried: at most 4 to the power of 6.
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4", "n5"];

    private static readonly Gen<ChannelState> Channel =
        from leader in Gen.Elements("n1", "n1", "n1", "n2", "n3", "n4", "n5")
        from replicas in Gen.SubListOf("n2", "n3", "n4", "n5")
        from ready in Gen.Elements(ReplicaProgress.InSync, ReplicaProgress.InSync, ReplicaProgress.CatchingUp, ReplicaProgress.Disconnected)
        select new ChannelState(leader, 1, 3, [.. replicas.Where(r => r != leader).Select(r => new ReplicaState(r, ReplicaMode.Sync, ready, 5))], 0);

    private static readonly Gen<ClusterState> State =
        from channels in Channel.ListOf(9)
        from count in Gen.Choose(0, 9)
        select States.Of(NodeIds, [.. channels.Take(count).Where((c, i) => c.Leader != "n1" || channels.Take(i).Count(o => o.Leader == "n1") < 6).Select((c, i) => ($"ch{i}", c))]);

    // n1 says of some of its channels that it cannot lead them; others have said so before, and are being drained.
    private static readonly Gen<(ClusterState State, ChannelAtTerm[] Leaderships)> Declining =
        from state in State
        from declined in Gen.SubListOf(NodeIds).ListOf(9)
        from said in Gen.Elements(true, true, false).ListOf(9)
        from draining in Gen.Elements(false, false, true).ListOf(5)
        let channels = state.Channels.Select((c, i) => (c.Key, Channel: c.Value with { Declined = declined[i].Count == 0 ? null : [.. declined[i]] })).ToDictionary(c => c.Key, c => c.Channel, StringComparer.Ordinal)
        let nodes = state.Nodes.Select((n, i) => (n.Key, Node: n.Value with { Draining = draining[i] })).ToDictionary(n => n.Key, n => n.Node, StringComparer.Ordinal)
        select (state with { Nodes = nodes, Channels = channels }, channels.Where((c, i) => c.Value.Leader == "n1" && said[i]).Select(c => new ChannelAtTerm(c.Key, c.Value.Term)).ToArray());

    private static FailoverPlan Plan(ClusterState state, LeaderPolicy policy = LeaderPolicy.PreferCoordinator) =>
        FailoverPlanner.Plan(state, new FailureEvidence("n1", FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now, policy);

    [Fact]
    public void No_other_plan_among_the_best_candidates_is_more_even() => Prop.ForAll(State.ToArbitrary(), state =>
    {
        var best = AllPlans(state, _ => null).Select(Shape).Min(StringComparer.Ordinal);
        return Shape(Loads(Plan(state, LeaderPolicy.Spread).State)) == best;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void No_other_plan_for_what_a_node_says_it_cannot_lead_is_more_even() => Prop.ForAll(Declining.ToArbitrary(), d =>
    {
        var moving = d.Leaderships.Select(l => l.Channel).ToHashSet(StringComparer.Ordinal);
        var best = AllPlans(d.State, _ => null, (name, c) => moving.Contains(name) ? BestOf(c, NextToAsk(d.State, c)) : null).Select(Shape).Min(StringComparer.Ordinal);
        var plan = Decline(d.State, d.Leaderships);
        return Shape(Loads(plan.State)) == best && plan.Moves.All(m => BestOf(d.State.Channels[m.Channel], NextToAsk(d.State, d.State.Channels[m.Channel])).Contains(m.To, StringComparer.Ordinal));
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Fact]
    public void The_metadata_leader_is_preferred_among_equals_and_the_rest_is_as_even_as_that_allows() => Prop.ForAll(State.ToArbitrary(), state =>
    {
        var with = state with
        {
            Channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal) { [MetadataChannel.Name] = new("n3", 1, 1, [], 99) },
        };
        var after = Plan(with).State;
        var best = AllPlans(with, c => Best(c).Contains("n3", StringComparer.Ordinal) ? "n3" : null).Select(Shape).Min(StringComparer.Ordinal);
        return Shape(Loads(after)) == best
            && with.Channels.Where(c => c.Value.Leader == "n1" && Best(c.Value).Contains("n3", StringComparer.Ordinal)).All(c => after.Channels[c.Key].Leader == "n3");
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static FailoverPlan Decline(ClusterState state, ChannelAtTerm[] leaderships) =>
        FailoverPlanner.Plan(state, new FailureEvidence("n1", FailureEvidenceKind.CannotLead, null, leaderships), TimeSpan.Zero, Now, LeaderPolicy.Spread);

    [Fact]
    public void Where_the_metadata_channel_moves_too_the_others_follow_it()
    {
        var state = States.Of(
            ["n1", "n2", "n3"],
            ("ch0", States.Led("n1", 1)),
            ("ch1", States.Led("n2", 1)),
            ("ch2", States.Led("n1", 1) with { Replicas = [new("n2", ReplicaMode.Sync, ReplicaProgress.InSync, 1)] }),
            (MetadataChannel.Name, States.Led("n1", 1)));

        Assert.Equal(["n3", "n2", "n3"], Plan(state).Moves.Select(m => m.To));
        Assert.Equal(["n3", "n2", "n3"], Plan(state, LeaderPolicy.Spread).Moves.Select(m => m.To));

        var busy = state with { Channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal) { ["ch3"] = new("n3", 1, 1, [], 9), ["ch4"] = new("n3", 1, 1, [], 10) } };
        Assert.Equal(["n2", "n2", "n2"], Plan(busy).Moves.Select(m => m.To));
        Assert.Equal(["n2", "n2", "n3"], Plan(busy, LeaderPolicy.Spread).Moves.Select(m => m.To));
    }

    [Fact]
    public void A_chain_of_nodes_hands_on_what_the_first_has_too_much_of()
    {
        // Greed gives a to n2 and b to n3; then c and d, which only n2 can have, pile up. Even is: a to n3, b to n4.
        var state = States.Of(
            ["n1", "n2", "n3", "n4"],
            ("a", Ready("n2", "n3")),
            ("b", Ready("n3", "n4")),
            ("c", Ready("n2", "n3")),
            ("d", Ready("n2", "n3")),
            ("e", Ready("n2", "n3")),
            ("f", Ready("n3", "n4")));

        Assert.Equal([2, 2, 2], Loads(Plan(state).State).Values);
    }

    [Fact]
    public void Ten_thousand_channels_of_one_node_are_spread_evenly_over_a_hundred()
    {
        var nodes = Enumerable.Range(0, 101).Select(i => $"n{i:000}").ToArray();
        var random = new Random(7);
        var warm = States.Of(nodes, [.. Enumerable.Range(0, 10_000).Select(i => ($"ch{i}", Ready("n000", [.. nodes.Skip(1).OrderBy(_ => random.Next()).Take(2)])))]);
        var cold = warm with { Channels = warm.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = [] }, StringComparer.Ordinal) };

        foreach (var state in new[] { warm, cold })
        {
            var plan = FailoverPlanner.Plan(state, new FailureEvidence("n000", FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now);

            Assert.Equal(10_000, plan.Moves.Count);
            Assert.Equal(100, plan.State.Channels.Values.CountBy(c => c.Leader!, StringComparer.Ordinal).Count(n => n.Value == 100));
        }
    }

    [Fact]
    public void Ten_thousand_channels_that_a_node_cannot_lead_are_spread_evenly_over_those_that_have_not_declined_them()
    {
        var nodes = Enumerable.Range(0, 101).Select(i => $"n{i:000}").ToArray();
        var state = States.Of(nodes, [.. Enumerable.Range(0, 10_000).Select(i => ($"ch{i}", new ChannelState("n000", 1, 3, [], 0, [nodes[1 + (i % 7)], nodes[1 + (i % 50)]])))]);

        var plan = FailoverPlanner.Plan(
            state, new FailureEvidence("n000", FailureEvidenceKind.CannotLead, null, [.. state.Channels.Keys.Select(c => States.At(state, c))]), TimeSpan.Zero, Now);

        Assert.Equal(10_000, plan.Moves.Count);
        Assert.All(plan.Moves, m => Assert.DoesNotContain(m.To, state.Channels[m.Channel].Declined!));
        Assert.Equal(100, plan.State.Channels.Values.CountBy(c => c.Leader!, StringComparer.Ordinal).Count(n => n.Value == 100));
    }

    private static ChannelState Ready(params string[] nodes) => Ready("n1", nodes);

    private static ChannelState Ready(string leader, string[] nodes) => new(leader, 1, 3, [.. nodes.Select(n => new ReplicaState(n, ReplicaMode.Sync, ReplicaProgress.InSync, 1))], 0);

    private static IReadOnlyList<string> Best(ChannelState channel) => BestOf(channel, [.. NodeIds.Skip(1)]);

    private static IReadOnlyList<string> BestOf(ChannelState channel, IReadOnlyList<string> among)
    {
        var copies = channel.Replicas.Where(r => among.Contains(r.NodeId, StringComparer.Ordinal)).ToList();
        var ready = copies.Where(r => r.State == ReplicaProgress.InSync).ToList();
        ready = ready.Count > 0 ? ready : [.. copies.Where(r => r.State == ReplicaProgress.CatchingUp)];
        return ready.Count > 0 ? [.. ready.Select(r => r.NodeId)] : among;
    }

    // Candidates that have not declined; else others that have not; else whoever declined first, which nobody did after n1.
    private static List<string> NextToAsk(ClusterState state, ChannelState channel)
    {
        List<string> declined = [.. (channel.Declined ?? []).Where(n => n != "n1")];
        var free = NodeIds.Skip(1).Except(declined, StringComparer.Ordinal).ToList();
        var candidates = free.Where(n => !state.Nodes[n].Draining).ToList();
        return candidates.Count > 0 ? candidates : free.Count > 0 ? free : [declined[0]];
    }

    private static List<Dictionary<string, int>> AllPlans(ClusterState state, Func<ChannelState, string?> bound, Func<string, ChannelState, IReadOnlyList<string>?>? among = null)
    {
        var loads = new List<Dictionary<string, int>> { Loads(state) };
        foreach (var (name, channel) in state.Channels.Where(c => c.Value.Leader == "n1"))
        {
            if ((among is null ? Best(channel) : among(name, channel)) is not { } candidates)
            {
                continue;
            }

            candidates = bound(channel) is { } only ? [only] : candidates;

            // Plans that lead to the same loads are one plan here.
            loads = [.. loads.SelectMany(l => candidates.Select(n => new Dictionary<string, int>(l, StringComparer.Ordinal) { [n] = l[n] + 1 })).DistinctBy(l => string.Join(',', l.Values), StringComparer.Ordinal)];
        }

        return loads;
    }

    private static Dictionary<string, int> Loads(ClusterState state) => state.Nodes.Keys.Where(n => n != "n1").Order(StringComparer.Ordinal)
        .ToDictionary(n => n, n => state.Channels.Values.Count(c => c.Leader == n), StringComparer.Ordinal);

    // The fullest first: the least of all such texts is the most even.
    private static string Shape(Dictionary<string, int> loads) => string.Join(',', loads.Values.OrderDescending().Select(l => l.ToString("00", System.Globalization.CultureInfo.InvariantCulture)));
}
