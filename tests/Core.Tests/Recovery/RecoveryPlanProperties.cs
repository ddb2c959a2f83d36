using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Recovery;
using FsCheck;
using FsCheck.Fluent;

namespace Baton.Core.Tests.Recovery;

/// <summary>What should be recovered and who is ready, for any cluster, any accounts of nodes, and whatever is known of recoveries.</summary>
public sealed class RecoveryPlanProperties
{
    private const long ReadyLag = 10;

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);
    private static readonly string[] NodeIds = ["n1", "n2", "n3", "n4"];
    private static readonly string[] Channels = ["ch0", "ch1", "ch2"];

    /// <summary>A cluster as it was read.</summary>
    private sealed record Case(ClusterState State, IReadOnlyDictionary<string, NodeBeat> Beats, IReadOnlyDictionary<string, ChannelReplicas> Known, int AtOnce)
    {
        public RecoveryPlan Plan() => new(Beats, Timeout, ReadyLag, Now);

        public IReadOnlyList<AssignmentIntent> Intents(IReadOnlyDictionary<string, ChannelReplicas>? known = null) => Plan().Intents(State, known ?? Known, RecoveryBudget.Unlimited, AtOnce);

        public int Active => Known.Values.Sum(c => c.Senders.Count(s => s.HasActiveSession));

        /// <summary>What is known once the intents are in force.</summary>
        public Dictionary<string, ChannelReplicas> Applied()
        {
            var after = new Dictionary<string, ChannelReplicas>(Known, StringComparer.Ordinal);
            foreach (var intent in Intents())
            {
                after[intent.Channel] = (after.GetValueOrDefault(intent.Channel) ?? ChannelReplicas.Unknown(intent.Channel)).Apply(intent, 1_000).After;
            }

            return after;
        }

        public override string ToString() => Recoveries.Json(this);
    }

    private static readonly Gen<NodeState> Node =
        from incarnation in Gen.Choose(1, 2)
        from state in Gen.Choose(0, 7)
        select new NodeState(new Uri("http://node:1"), incarnation, Failed: state == 0, Draining: state == 1, RemovedAt: state == 2 ? Now : null);

    private static readonly Gen<HeartbeatChannel> Said =
        from channel in Gen.Elements(Channels)
        from role in Gen.Elements(Assignments.Leader, Assignments.Replica, Assignments.Replica)
        from flushed in Gen.Elements(80L, 89L, 90L, 100L)
        from following in Gen.Elements(FollowState.Following, FollowState.Following, FollowState.CatchingUp, FollowState.Diverged, FollowState.NeedsRebuild)
        select new HeartbeatChannel(channel, 1, role, flushed, flushed, State: role == Assignments.Replica ? following : null);

    private static readonly Gen<NodeBeat> Beat =
        from age in Gen.Elements(0, 1, 2, 5)
        from said in Said.ListOf(5)
        select new NodeBeat(Now.AddSeconds(-age), [.. said]);

    private static readonly Gen<ChannelState> Channel =
        from leader in Gen.Elements("n1", "n1", "n2", null)
        from term in Gen.Choose(1, 3)
        from replicas in Gen.SubListOf(NodeIds)
        from progress in Gen.Elements(Enum.GetValues<ReplicaProgress>()).ListOf(4)
        select new ChannelState(leader, term, 3, [.. replicas.Where(r => r != leader).Select((r, i) => new ReplicaState(r, ReplicaMode.Sync, progress[i], 70))], 0);

    // Whatever senders can be: made by their own calls, so that none is what no sender can be.
    private static Gen<ReplicaSender> Sender(string channel, string id, long epoch) =>
        from version in Gen.Choose(1, 2)
        from life in Gen.Choose(0, 6)
        let fresh = new ReplicaSender(new ReplicaKey(channel, id), new ReplicaEndpoint(new Uri("http://node:1"), new Uri("http://node:1"), version), epoch)
        let attached = fresh.Attach(life + 1, epoch, SessionKind.Catchup).Sender
        let completed = Completed(attached)
        select life switch
        {
            0 => fresh,
            1 => attached,
            2 => attached.Invalidate(3, "cancelled").Sender,
            3 => attached.ReleaseRetention(),
            4 => fresh with { Stopped = true },
            _ => completed,
        };

    private static ReplicaSender Completed(ReplicaSender sender)
    {
        var id = sender.Session!.Id;
        return sender.BeginConnect(id).Sender.RecordHandshake(id, 100, 100).Sender.CompleteSession(id).Sender;
    }

    private static Gen<ChannelReplicas> Known(string channel) =>
        from epoch in Gen.Choose(0, 3)
        from ids in Gen.SubListOf(NodeIds)
        from senders in Gen.CollectToList(ids, id => Sender(channel, id, Math.Max(1, epoch)))
        select new ChannelReplicas(channel, epoch, [.. senders]);

    private static readonly Gen<Case> Cases =
        from nodes in Node.ListOf(4)
        from channels in Channel.ListOf(3)
        from beats in Beat.ListOf(4)
        from known in Gen.CollectToList(Channels, Known)
        from isKnown in Gen.Elements(true, true, true, false).ListOf(3)
        from atOnce in Gen.Choose(1, 8)
        select new Case(
            new ClusterState("b", 7, NodeIds.Select((n, i) => (n, nodes[i])).ToDictionary(n => n.n, n => n.Item2, StringComparer.Ordinal), Channels.Select((c, i) => (c, channels[i] with { Index = i })).ToDictionary(c => c.c, c => c.Item2, StringComparer.Ordinal)),
            NodeIds.Select((n, i) => (n, beats[i])).ToDictionary(b => b.n, b => b.Item2, StringComparer.Ordinal),
            known.Where((_, i) => isKnown[i]).ToDictionary(k => k.Channel, StringComparer.Ordinal),
            atOnce);

    [Fact]
    public void In_sync_is_only_who_completed_a_session_at_the_channels_term_and_the_nodes_incarnation_or_is_silent_and_was() => Check(c =>
    {
        foreach (var (name, channel) in c.Plan().WithReadiness(c.State, c.State, c.Known).Channels)
        {
            foreach (var replica in channel.Replicas.Where(r => r.State == ReplicaProgress.InSync))
            {
                var sender = c.Known.GetValueOrDefault(name)?.Find(replica.NodeId);
                var completed = sender is { IsInSync: true } && sender.Epoch == channel.Term && sender.Endpoint == RecoveryPlan.EndpointOf(c.State.Nodes[replica.NodeId]);
                var beat = c.Beats[replica.NodeId];
                var isHeard = Now - beat.At < Timeout && beat.Channels.Any(s => s.Name == name && s.Role == Assignments.Replica);
                var was = c.State.Channels[name].Replicas.Single(r => r.NodeId == replica.NodeId).State == ReplicaProgress.InSync;
                Assert.True((completed && isHeard) || (was && !isHeard));
            }
        }
    });

    [Fact]
    public void Nobody_who_says_that_his_copy_is_of_no_use_is_in_sync() => Check(c =>
    {
        foreach (var (name, channel) in c.Plan().WithReadiness(c.State, c.State, c.Known).Channels)
        {
            Assert.DoesNotContain(channel.Replicas, r => r.State == ReplicaProgress.InSync
                && Now - c.Beats[r.NodeId].At < Timeout
                && c.Beats[r.NodeId].Channels.LastOrDefault(s => s.Name == name && s.Role == Assignments.Replica)?.State is FollowState.Diverged or FollowState.NeedsRebuild);
        }
    });

    [Fact]
    public void Readiness_touches_neither_leaders_nor_terms_nor_who_has_copies_and_said_again_changes_nothing() => Check(c =>
    {
        var after = c.Plan().WithReadiness(c.State, c.State, c.Known);
        Assert.Equal(c.State.Nodes, after.Nodes);
        foreach (var (name, channel) in after.Channels)
        {
            var before = c.State.Channels[name];
            Assert.Equal(before, channel, Same);
            Assert.Equal(before.Replicas.Select(r => (r.NodeId, r.Mode)), channel.Replicas.Select(r => (r.NodeId, r.Mode)));
        }

        Assert.Equal(c.State.Version + (ReferenceEquals(after, c.State) ? 0 : 1), after.Version);
        Assert.Equal(ReferenceEquals(after, c.State), c.State.Channels.All(o => o.Value.Replicas.SequenceEqual(after.Channels[o.Key].Replicas)));
        Assert.Same(after, c.Plan().WithReadiness(after, after, c.Known));
    });

    [Fact]
    public void There_are_never_more_new_sessions_than_there_is_room() => Check(c =>
        Assert.True(c.Intents().Sum(i => i.RecoveryTargets.Count) <= Math.Max(0, c.AtOnce - c.Active)));

    [Fact]
    public void An_intent_in_force_is_asked_for_no_more_but_for_what_there_was_no_room_for() => Check(c =>
    {
        var after = c.Applied();
        var room = c.AtOnce - after.Values.Sum(k => k.Senders.Count(s => s.HasActiveSession));
        var again = c.Intents(after);
        Assert.All(again, i => Assert.True(room > 0 && i.RecoveryTargets.Count > 0, "nothing but sessions that there is room for now is asked for again"));
        Assert.All(again.SelectMany(i => i.RecoveryTargets.Select(t => after[i.Channel].Find(t.Key))), s => Assert.False(s?.HasActiveSession));

        // With room for all, once is enough.
        var roomy = c with { AtOnce = 100 };
        Assert.Empty(roomy.Intents(roomy.Applied()));
    });

    [Fact]
    public void What_is_asked_for_is_what_there_is_and_never_refused() => Check(c =>
    {
        foreach (var intent in c.Intents())
        {
            var channel = c.State.Channels[intent.Channel];
            Assert.Equal(channel.Term, intent.Epoch);
            Assert.All(intent.Replicas, r => Assert.True(c.State.Nodes[r.ReplicaId].RemovedAt is null && r.Endpoint == RecoveryPlan.EndpointOf(c.State.Nodes[r.ReplicaId])));
            Assert.All(intent.RecoveryTargets.Keys, t => Assert.True(c.State.Nodes[t].IsCandidate && Now - c.Beats[t].At < Timeout && channel.Replicas.Any(r => r.NodeId == t)));
            Assert.Empty((c.Known.GetValueOrDefault(intent.Channel) ?? ChannelReplicas.Unknown(intent.Channel)).Apply(intent, 1_000).Result.SessionsFailed);
        }
    });

    [Fact]
    public void Whatever_a_sweep_would_do_for_sessions_it_is_due_for() => Check(c =>
    {
        // What the state calls in sync by an earlier session is corrected by a pass first.
        var settled = c with { State = c.Plan().WithReadiness(c.State, c.State, c.Known) };
        Assert.True(settled.Plan().IsDue(settled.State) || settled.Intents().All(i => i.RecoveryTargets.Count == 0));
    });

    private static EqualityComparer<ChannelState> Same { get; } = EqualityComparer<ChannelState>.Create(
        (one, other) => (one?.Leader, one?.Term, one?.ReplicationFactor, one?.Index) == (other?.Leader, other?.Term, other?.ReplicationFactor, other?.Index), c => c.Index);

    private static void Check(Action<Case> holds) => Prop.ForAll(Cases.ToArbitrary(), c =>
    {
        holds(c);
        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
}
