using System.Text.Json;
using Baton.Core.Api;
using Baton.Core.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Cluster;

/// <summary>For every state, and every series of failures and joins on it.</summary>
public sealed class FailoverPlannerProperties
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4", "n5"];

    private static readonly Gen<ReplicaState> Replica =
        from node in Gen.Elements(NodeIds)
        from mode in Gen.Elements(ReplicaMode.Sync, ReplicaMode.Async)
        from progress in Gen.Elements(ReplicaProgress.Disconnected, ReplicaProgress.CatchingUp, ReplicaProgress.InSync, ReplicaProgress.NeedsRebuild)
        from flushed in Gen.Choose(0, 5)
        select new ReplicaState(node, mode, progress, flushed);

    private static readonly Gen<ChannelState> Channel =
        from leader in Gen.Elements<string?>("n1", "n2", "n3", "n4", "n5", null)
        from term in Gen.Choose(0, 9)
        from replicas in Replica.ListOf()
        select new ChannelState(leader, term, 3, [.. replicas.DistinctBy(r => r.NodeId, StringComparer.Ordinal).Where(r => r.NodeId != leader).Take(3)], 0);

    private static readonly Gen<ClusterState> State =
        from channels in Channel.ListOf()
        from live in Gen.Elements(true, true, false).ListOf(NodeIds.Length)
        select Consistent(States.Of(NodeIds, [.. channels.Select((c, i) => ($"ch{i}", c))]), live);

    private static readonly Gen<(ClusterState State, string Failed)> Failure =
        from state in State
        from node in Gen.Elements(NodeIds)
        select (state, node);

    // A live node says it of channels of its own and of others, at the present term and at others; some nodes are being drained, some channels have been declined before.
    private static readonly Gen<(ClusterState State, string NodeId, ChannelAtTerm[] Leaderships)> Declining =
        from state in State
        from node in Gen.Elements(NodeIds)
        from draining in Gen.SubListOf(NodeIds)
        from declined in Gen.SubListOf(NodeIds).ListOf(state.Channels.Count)
        from said in Gen.Elements(0, 0, 1, -1).ListOf(state.Channels.Count)
        let nodes = state.Nodes.ToDictionary(n => n.Key, n => n.Value with { Draining = draining.Contains(n.Key), Failed = n.Value.Failed && n.Key != node }, StringComparer.Ordinal)
        let channels = state.Channels.Select((c, i) => (c.Key, Channel: c.Value with { Declined = declined[i].Count == 0 ? null : [.. declined[i]] })).ToDictionary(c => c.Key, c => c.Channel, StringComparer.Ordinal)
        select (state with { Nodes = nodes, Channels = channels }, node, channels.Where((c, i) => said[i] >= 0).Select((c, i) => new ChannelAtTerm(c.Key, c.Value.Term - said[i])).ToArray());

    private static FailoverPlan Plan((ClusterState State, string Failed) f) =>
        FailoverPlanner.Plan(f.State, new FailureEvidence(f.Failed, FailureEvidenceKind.HeartbeatLost), TimeSpan.Zero, Now);

    [Fact]
    public void No_channel_is_led_by_a_failed_node() => Check(f =>
        Plan(f).State is var after && after.Channels.Values.All(c => c.Leader is null || !after.Nodes[c.Leader].Failed));

    [Fact]
    public void No_channel_stays_without_a_leader_while_a_node_lives() => Check(f =>
        Plan(f) is var plan && plan.Moves.All(m => m.To is not null || plan.State.Nodes.Values.All(n => n.Failed)));

    [Fact]
    public void No_term_goes_back_and_each_new_leadership_has_the_next_one() => Check(f => Plan(f).State.Channels.All(c =>
        f.State.Channels[c.Key] is var before && (c.Value.Leader == before.Leader || c.Value.Leader is null ? c.Value.Term == before.Term : c.Value.Term == before.Term + 1)));

    [Fact]
    public void Channels_that_the_node_has_no_part_in_are_untouched() => Check(f => Plan(f).State.Channels.All(c =>
        f.State.Channels[c.Key] is var before && (before.Leader == f.Failed || before.Replicas.Any(r => r.NodeId == f.Failed) || ReferenceEquals(before, c.Value))));

    [Fact]
    public void The_same_input_gives_the_same_plan() => Check(f => Text(Plan(f)) == Text(Plan(f)));

    [Fact]
    public void The_order_of_the_stored_entries_makes_no_difference() => Check(f =>
        Plan(f).Moves.SequenceEqual(Plan((f.State with { Nodes = Reversed(f.State.Nodes), Channels = Reversed(f.State.Channels) }, f.Failed)).Moves));

    [Fact]
    public void Replaying_the_event_changes_nothing() => Check(f =>
        Plan(f).State is var once && Plan((once, f.Failed)) is var again && again.Outcome == FailoverOutcome.Unchanged && ReferenceEquals(again.State, once));

    [Fact]
    public void The_new_leader_is_as_good_as_any_that_lives() => Check(f => Plan(f).Moves.Where(m => m.To is not null).All(m =>
        f.State.Channels[m.Channel].Replicas is var replicas
        && !Plan(f).State.Channels[m.Channel].Replicas.Any(r => r.NodeId == m.To)
        && (replicas.FirstOrDefault(r => r.NodeId == m.To)?.State == ReplicaProgress.InSync
            || !replicas.Any(r => r.State == ReplicaProgress.InSync && r.NodeId != f.Failed && !f.State.Nodes[r.NodeId].Failed))));

    [Fact]
    public void Where_no_replica_decides_the_load_is_no_less_even_than_necessary() => Check(f =>
    {
        var bare = f.State with { Channels = f.State.Channels.ToDictionary(c => c.Key, c => c.Value with { Replicas = [] }, StringComparer.Ordinal) };
        var plan = Plan((bare, f.Failed));
        var before = Load(bare, f.Failed);
        var after = Load(plan.State, f.Failed);

        // Every channel that moved went where fewest were: whoever got one leads at most one more than the least loaded.
        return plan.Moves.All(m => m.To is null || after[m.To] <= after.Values.Min() + 1 || after[m.To] == before[m.To]);
    });

    [Fact]
    public void A_join_raises_the_terms_of_the_joining_node_and_leaves_no_channel_offline() => Check(f =>
    {
        var after = ClusterMembership.Join(f.State, f.Failed, new Uri("http://again"), null, null).State;
        return after.Nodes[f.Failed].Incarnation == f.State.Nodes[f.Failed].Incarnation + 1
            && after.Channels.All(c => c.Value.Leader is not null && f.State.Channels[c.Key] is var before
                && c.Value.Term == (before.Leader is null || before.Leader == f.Failed ? before.Term + 1 : before.Term));
    });

    [Fact]
    public void A_series_of_failures_and_joins_never_has_one_term_of_a_channel_on_two_nodes()
    {
        var step = from node in Gen.Elements(NodeIds)
                   from fails in Gen.Elements(true, false)
                   select (Node: node, Fails: fails);
        var series = from state in State
                     from steps in step.ListOf()
                     select (state, steps);
        Prop.ForAll(series.ToArbitrary(), s =>
        {
            var (state, leaders) = (s.state, new Dictionary<(string, long), (string, long)>());
            foreach (var (node, fails) in s.steps)
            {
                state = fails ? Plan((state, node)).State : ClusterMembership.Join(state, node, new Uri("http://again"), null, null).State;
                foreach (var (name, channel) in state.Channels.Where(c => c.Value.Leader is not null))
                {
                    // The incarnation counts as well: a node that came back is another one.
                    var holder = (channel.Leader!, state.Nodes[channel.Leader!].Incarnation);
                    if (leaders.TryGetValue((name, channel.Term), out var other) && other != holder)
                    {
                        return false;
                    }

                    leaders[(name, channel.Term)] = holder;
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void What_a_node_cannot_lead_moves_if_it_says_so_of_the_present_term_and_another_lives() => CheckDeclined(d =>
    {
        var said = d.Leaderships.ToHashSet();
        var after = Decline(d).State;
        var another = d.State.Nodes.Any(n => n.Value.IsLive && n.Key != d.NodeId);
        return d.State.Channels.All(c => another && c.Value.Leader == d.NodeId && said.Contains(new(c.Key, c.Value.Term))
            ? after.Channels[c.Key] is var moved && moved.Leader != d.NodeId && after.Nodes[moved.Leader!].IsLive && moved.Term == c.Value.Term + 1 && moved.Declined!.Contains(d.NodeId, StringComparer.Ordinal)
            : ReferenceEquals(after.Channels[c.Key], c.Value));
    });

    [Fact]
    public void What_a_node_cannot_lead_is_one_new_version_and_leaves_every_node_as_it_was() => CheckDeclined(d => Decline(d) is var plan
        && ReferenceEquals(plan.State.Nodes, d.State.Nodes)
        && (plan.Outcome == FailoverOutcome.Planned ? plan.State.Version == d.State.Version + 1 && plan.Moves.Count > 0 : ReferenceEquals(plan.State, d.State) && plan.Moves.Count == 0)
        && plan.Moves.SequenceEqual(plan.Moves.OrderBy(m => d.State.Channels[m.Channel].Index)));

    [Fact]
    public void What_a_node_cannot_lead_has_the_same_plan_in_whatever_order_it_is_said_and_stored() => CheckDeclined(d =>
        Text(Decline(d)) == Text(Decline(d))
        && Decline(d).Moves.SequenceEqual(Decline((d.State with { Nodes = Reversed(d.State.Nodes), Channels = Reversed(d.State.Channels) }, d.NodeId, [.. d.Leaderships.Reverse()])).Moves));

    [Fact]
    public void What_a_node_cannot_lead_said_again_changes_nothing() => CheckDeclined(d =>
        Decline(d) is var once && Decline((once.State, d.NodeId, d.Leaderships)) is var again && ReferenceEquals(again.State, once.State) && again.Outcome != FailoverOutcome.Planned);

    private static FailoverPlan Decline((ClusterState State, string NodeId, ChannelAtTerm[] Leaderships) d) =>
        FailoverPlanner.Plan(d.State, new FailureEvidence(d.NodeId, FailureEvidenceKind.CannotLead, null, d.Leaderships), TimeSpan.Zero, Now);

    private static void CheckDeclined(Func<(ClusterState State, string NodeId, ChannelAtTerm[] Leaderships), bool> property) => Prop.ForAll(Declining.ToArbitrary(), property).QuickCheckThrowOnFailure();

    private static void Check(Func<(ClusterState State, string Failed), bool> property) => Prop.ForAll(Failure.ToArbitrary(), property).QuickCheckThrowOnFailure();

    // A state as it can be stored: what a failed node led is led by nobody.
    private static ClusterState Consistent(ClusterState state, IEnumerable<bool> live)
    {
        var failed = NodeIds.Zip(live).Where(n => !n.Second).Select(n => n.First).ToHashSet(StringComparer.Ordinal);
        return state with
        {
            Nodes = state.Nodes.ToDictionary(n => n.Key, n => n.Value with { Failed = failed.Contains(n.Key) }, StringComparer.Ordinal),
            Channels = state.Channels.ToDictionary(c => c.Key, c => c.Value.Leader is { } l && failed.Contains(l) ? c.Value with { Leader = null } : c.Value, StringComparer.Ordinal),
        };
    }

    private static Dictionary<string, int> Load(ClusterState state, string except) => state.Nodes
        .Where(n => !n.Value.Failed && n.Key != except)
        .ToDictionary(n => n.Key, n => state.Channels.Values.Count(c => c.Leader == n.Key), StringComparer.Ordinal);

    private static Dictionary<string, T> Reversed<T>(IReadOnlyDictionary<string, T> entries) => new(entries.Reverse(), StringComparer.Ordinal);

    private static string Text(FailoverPlan plan) => JsonSerializer.Serialize(plan, BatonJson.Options);
}
