using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Recovery;

/// <summary>What the cluster's state, the nodes' heartbeats and the known recoveries say together: which sessions there should be, and which replicas are ready to lead.</summary>
public sealed class RecoveryPlan
{
    private readonly Dictionary<(string NodeId, string Channel, string Role), HeartbeatChannel> _accounts = [];
    private readonly long _readyLag;

    /// <summary>A plan by what is known at one moment.</summary>
    /// <param name="beats">Last heartbeats by node id.</param>
    /// <param name="heartbeatTimeout">An older beat counts for nothing.</param>
    /// <param name="readyLag">How many records behind its leader a replica may be and still count as in sync.</param>
    /// <param name="now">The time of the decision.</param>
    public RecoveryPlan(IReadOnlyDictionary<string, NodeBeat> beats, TimeSpan heartbeatTimeout, long readyLag, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(beats);
        _readyLag = readyLag;
        foreach (var (nodeId, beat) in beats.Where(b => (now - b.Value.At).Duration() < heartbeatTimeout))
        {
            foreach (var said in beat.Channels.Where(c => c is { Name: not null, Role: not null }))
            {
                _accounts[(nodeId, said.Name, said.Role)] = said;
            }
        }
    }

    /// <summary>What all channels' recoveries should be, in creation order, where they are not so already (<see cref="IntentFor"/>).</summary>
    /// <param name="state">The cluster.</param>
    /// <param name="known">What is known of recoveries, by channel.</param>
    /// <param name="budget">What a session may take.</param>
    /// <param name="sessionsAtOnce">How many sessions there may be in the cluster.</param>
    public IReadOnlyList<AssignmentIntent> Intents(ClusterState state, IReadOnlyDictionary<string, ChannelReplicas> known, RecoveryBudget budget, int sessionsAtOnce)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(known);
        var room = sessionsAtOnce - known.Values.Sum(c => c.Senders.Count(s => s.HasActiveSession));
        var intents = new List<AssignmentIntent>();
        foreach (var (name, channel) in Placement.InOrder(state.Channels))
        {
            if (channel.Replicas.Count > 0 && IntentFor(name, state, known.GetValueOrDefault(name) ?? ChannelReplicas.Unknown(name), budget, Math.Max(0, room)) is { } intent)
            {
                intents.Add(intent);
                room -= intent.RecoveryTargets.Count;
            }
        }

        return intents;
    }

    /// <summary>
    /// What a channel's recoveries should be: its replicas at its term, where their nodes are now, and a session for each that lives, is not in sync, and has none. Null where that is so already.
    /// </summary>
    /// <param name="name">The channel.</param>
    /// <param name="state">The cluster.</param>
    /// <param name="known">What is known of the channel's recoveries.</param>
    /// <param name="budget">What a session may take.</param>
    /// <param name="room">How many sessions may be made at most.</param>
    public AssignmentIntent? IntentFor(string name, ClusterState state, ChannelReplicas known, RecoveryBudget budget, int room)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(known);
        var channel = state.Channels[name];
        if (channel.Leader is null || channel.Term < known.Epoch)
        {
            // Nobody to follow, or a state that was read before what is known.
            return null;
        }

        var listed = channel.Replicas
            .Where(r => state.Nodes.GetValueOrDefault(r.NodeId) is { RemovedAt: null })
            .Select(r => new AssignedReplica(r.NodeId, EndpointOf(state.Nodes[r.NodeId])))
            .ToList();
        var targets = listed
            .Where(r => state.Nodes[r.ReplicaId].IsCandidate)
            .Select(r => (r.ReplicaId, Kind: KindFor(name, channel, r, known.Find(r.ReplicaId))))
            .Where(r => r.Kind is not null)
            .Take(room)
            .ToDictionary(r => r.ReplicaId, r => r.Kind!.Value, StringComparer.Ordinal);
        var isKnown = known.Epoch == channel.Term && known.Senders.Count == listed.Count && listed.TrueForAll(r => known.Find(r.ReplicaId) is { Stopped: false } s && s.Endpoint == r.Endpoint);
        return isKnown && targets.Count == 0 ? null : new AssignmentIntent(name, channel.Term, listed, targets, budget);
    }

    /// <summary>
    /// The state with every replica as ready as its session says: in sync is who completed one at the channel's term and at its node's present incarnation, and has kept up since. Nobody else is,
    /// whatever he says.
    /// </summary>
    /// <param name="before">The state as read.</param>
    /// <param name="repaired">The same with its copies repaired (<see cref="ReplicaSets"/>), which goes by what replicas say of themselves.</param>
    /// <param name="known">What is known of recoveries, by channel.</param>
    /// <returns><paramref name="before"/> where nothing is to be changed, else a state one version above it.</returns>
    public ClusterState WithReadiness(ClusterState before, ClusterState repaired, IReadOnlyDictionary<string, ChannelReplicas> known)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(repaired);
        ArgumentNullException.ThrowIfNull(known);
        var channels = new Dictionary<string, ChannelState>(repaired.Channels, StringComparer.Ordinal);
        var changed = repaired.Nodes.Count != before.Nodes.Count;
        foreach (var (name, channel) in repaired.Channels)
        {
            var was = before.Channels[name].Replicas;
            List<ReplicaState> replicas = [.. channel.Replicas.Select(r => Kept(WithReadiness(name, channel, r, repaired.Nodes.GetValueOrDefault(r.NodeId), known.GetValueOrDefault(name)?.Find(r.NodeId)), was))];
            var isSame = replicas.SequenceEqual(was);
            channels[name] = isSame ? before.Channels[name] : channel with { Replicas = replicas };
            changed |= !isSame;
        }

        return changed ? repaired with { Version = before.Version + 1, Channels = channels } : before;
    }

    /// <summary>Whether a pass would find something to do for replicas of nodes that live: a session to be made, or one whose end is not in the state yet.</summary>
    public bool IsDue(ClusterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Channels.Any(c => c.Value.Leader is { } leader && c.Value.Replicas.Any(r =>
            state.Nodes.GetValueOrDefault(r.NodeId) is { IsCandidate: true }
            && AccountOf(c.Key, r.NodeId, Assignments.Replica) is { } account
            && (r.State != ReplicaProgress.InSync || !KeepsUp(c.Key, leader, account))));
    }

    /// <summary>Where the replicas on a node are: at its address, in its present incarnation.</summary>
    public static ReplicaEndpoint EndpointOf(NodeState node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return new ReplicaEndpoint(node.Endpoint, node.Endpoint, node.Incarnation);
    }

    private SessionKind? KindFor(string name, ChannelState channel, AssignedReplica replica, ReplicaSender? sender)
    {
        if (AccountOf(name, replica.ReplicaId, Assignments.Replica) is not { } account)
        {
            // It does not follow the channel yet, or is silent: it could not take a session.
            return null;
        }

        var isPresent = sender is { Stopped: false } && sender.Epoch == channel.Term && sender.Endpoint == replica.Endpoint;
        if (isPresent && (sender!.HasActiveSession || (sender.IsInSync && KeepsUp(name, channel.Leader!, account))))
        {
            return null;
        }

        return sender?.State == ReplicaProgress.NeedsRebuild || account.State == FollowState.NeedsRebuild ? SessionKind.Rebuild
            : sender is null ? SessionKind.Bootstrap
            : isPresent ? SessionKind.Catchup
            : SessionKind.Reassign;
    }

    private ReplicaState WithReadiness(string name, ChannelState channel, ReplicaState replica, NodeState? node, ReplicaSender? sender)
    {
        var account = AccountOf(name, replica.NodeId, Assignments.Replica);
        var isPresent = node is not null && sender is not null && sender.Epoch == channel.Term && sender.Endpoint == EndpointOf(node);
        if (isPresent && sender!.IsInSync && account is not null && KeepsUp(name, channel.Leader!, account))
        {
            return replica.State == ReplicaProgress.InSync ? replica : replica with { State = ReplicaProgress.InSync, FlushedLsn = account.FlushedLsn };
        }

        return isPresent && sender!.State == ReplicaProgress.NeedsRebuild && replica.State != ReplicaProgress.NeedsRebuild ? replica with { State = ReplicaProgress.NeedsRebuild }
            : replica.State == ReplicaProgress.InSync && account is not null ? replica with { State = ReplicaProgress.CatchingUp, FlushedLsn = account.FlushedLsn }
            : replica;
    }

    // How far it has come is noted with its state: alone it would change with every heartbeat.
    private static ReplicaState Kept(ReplicaState now, IReadOnlyList<ReplicaState> before) =>
        before.FirstOrDefault(r => r.NodeId == now.NodeId) is { } was && was with { FlushedLsn = now.FlushedLsn } == now ? was : now;

    // A leader that is silent says nothing of how far behind it anybody is.
    private bool KeepsUp(string channel, string leader, HeartbeatChannel account) =>
        account.State is not (FollowState.Diverged or FollowState.NeedsRebuild)
        && (AccountOf(channel, leader, Assignments.Leader) is not { } led || led.FlushedLsn - account.FlushedLsn <= _readyLag);

    private HeartbeatChannel? AccountOf(string channel, string nodeId, string role) => _accounts.GetValueOrDefault((nodeId, channel, role));
}
