using Baton.Core.Api;

namespace Baton.Core.Cluster;

/// <summary>A node's last heartbeat: its own account of what it does.</summary>
/// <param name="At">When it came (UTC), by the control plane's clock.</param>
/// <param name="Channels">What it said of the node's channels; empty where that was too much to keep.</param>
public sealed record NodeBeat(DateTimeOffset At, IReadOnlyList<HeartbeatChannel> Channels);

/// <summary>
/// Keeps every channel's copies as many as were asked for, and says how far each is. Never touches a leader or a term: nothing here can stand in the way of a failover.
/// </summary>
public static class ReplicaSets
{
    /// <summary>How long a removed node's row stays: a process that has not heard of its removal within it counts as a new one.</summary>
    public static TimeSpan RemovedRowsStayFor { get; } = TimeSpan.FromDays(1);

    /// <summary>
    /// The state with its copies repaired; the same object where there is nothing to repair, else one version higher. Repairing again with the same beats and time changes nothing.
    /// <list type="bullet">
    /// <item>Copies on nodes that are no members any more are dropped.</item>
    /// <item>A channel that has fewer copies on candidates than asked for gets new ones on candidates that beat, as far as there are any. A copy on a failed or drained node does not count, and stays as evidence.</item>
    /// <item>A channel that has more copies on candidates than asked for loses the worst.</item>
    /// <item>A copy that is leaving does not count, and goes once as many of those that count are in sync as were asked for. Where no node is left to take its place, it stays, and is leaving no more.</item>
    /// <item>Of the copies on failed nodes as many stay as were asked for, those that had flushed most.</item>
    /// <item>What a replica says of itself is noted where its state changes. It never becomes <see cref="ReplicaProgress.InSync"/> by its own word.</item>
    /// <item>The rows of nodes removed longer ago than <see cref="RemovedRowsStayFor"/> are dropped.</item>
    /// </list>
    /// </summary>
    /// <param name="state">The state as read.</param>
    /// <param name="beats">Last heartbeats by node id.</param>
    /// <param name="heartbeatTimeout">An older beat counts for nothing: its node gets no new copies, and its account is not noted.</param>
    /// <param name="now">The time of the decision.</param>
    public static ClusterState Repair(ClusterState state, IReadOnlyDictionary<string, NodeBeat> beats, TimeSpan heartbeatTimeout, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(beats);
        var candidates = Placement.Candidates(state);
        var beating = candidates.Where(n => beats.TryGetValue(n, out var beat) && (now - beat.At).Duration() < heartbeatTimeout).ToHashSet(StringComparer.Ordinal);
        var accounts = beating.ToDictionary(n => n, n => ReplicaAccounts(beats[n]), StringComparer.Ordinal);
        var pass = new Pass(state, [.. candidates], beating, new ReplicaSpread(state, beating), accounts);

        var channels = new Dictionary<string, ChannelState>(state.Channels, StringComparer.Ordinal);
        var changed = false;
        foreach (var (name, before) in Placement.InOrder(state.Channels))
        {
            var after = pass.Repaired(name, before.Replicas);
            if (!after.SequenceEqual(before.Replicas))
            {
                channels[name] = before with { Replicas = after };
                changed = true;
            }
        }

        var nodes = state.Nodes.Where(n => n.Value.RemovedAt is not { } at || now - at < RemovedRowsStayFor).ToDictionary(StringComparer.Ordinal);
        return changed || nodes.Count < state.Nodes.Count ? state with { Version = state.Version + 1, Nodes = nodes, Channels = channels } : state;
    }

    private static Dictionary<string, HeartbeatChannel> ReplicaAccounts(NodeBeat beat)
    {
        var accounts = new Dictionary<string, HeartbeatChannel>(StringComparer.Ordinal);
        foreach (var said in beat.Channels.Where(c => c is { Name: not null, Role: Assignments.Replica, State: not null }))
        {
            accounts[said.Name] = said;
        }

        return accounts;
    }

    private sealed record Pass(
        ClusterState State,
        HashSet<string> Candidates,
        HashSet<string> Beating,
        ReplicaSpread Spread,
        IReadOnlyDictionary<string, Dictionary<string, HeartbeatChannel>> Accounts)
    {
        public List<ReplicaState> Repaired(string name, IReadOnlyList<ReplicaState> before)
        {
            var channel = State.Channels[name];
            var replicas = before.Where(r => State.Nodes.GetValueOrDefault(r.NodeId) is { RemovedAt: null }).Select(r => Marked(Noted(name, r))).ToList();
            if (channel.Leader is not { } leader)
            {
                // Offline: there is no node to copy to, and what is left is evidence.
                return replicas;
            }

            Fill(name, replicas, leader, channel.ReplicationFactor);
            KeepWhatIsNeeded(replicas, leader, channel.ReplicationFactor);
            Thin(replicas, leader, channel.ReplicationFactor);
            LetGo(replicas, channel.ReplicationFactor);
            Forget(replicas, channel.ReplicationFactor);
            return replicas;
        }

        private void Fill(string name, List<ReplicaState> replicas, string leader, int wanted)
        {
            while (Counted(replicas).Count + 1 < wanted && Spread.Next([leader, .. Counted(replicas)], [leader, .. replicas.Select(r => r.NodeId)]) is { } next)
            {
                replicas.Add(Noted(name, ReplicaSpread.Fresh(next)));
            }
        }

        private void Thin(List<ReplicaState> replicas, string leader, int wanted)
        {
            while (Counted(replicas) is var counted && counted.Count + 1 > wanted)
            {
                var worst = replicas.Where(IsCounted).MaxBy(r => Demerits(r, [leader, .. counted.Where(n => !string.Equals(n, r.NodeId, StringComparison.Ordinal))]))!;
                replicas.Remove(worst);
                Spread.Dropped(worst.NodeId);
            }
        }

        // Nobody can take its place: the target has failed, and every other node has a copy already. The best first.
        private void KeepWhatIsNeeded(List<ReplicaState> replicas, string leader, int wanted)
        {
            while (Counted(replicas) is var counted && counted.Count + 1 < wanted && replicas.Where(r => r.Leaving).MinBy(r => Demerits(r, [leader, .. counted])) is { } best)
            {
                replicas[replicas.IndexOf(best)] = best with { Leaving = false };
                Spread.Stays(best.NodeId);
            }
        }

        private void LetGo(List<ReplicaState> replicas, int wanted)
        {
            if (replicas.Count(r => IsCounted(r) && r.State == ReplicaProgress.InSync) + 1 >= wanted)
            {
                replicas.RemoveAll(r => r.Leaving);
            }
        }

        // Nodes that come back under other names leave their copies behind: without a bound the state would grow until it cannot be written, and no failover either.
        private void Forget(List<ReplicaState> replicas, int most)
        {
            var forgotten = replicas
                .Where(r => State.Nodes.GetValueOrDefault(r.NodeId) is { Failed: true })
                .OrderByDescending(r => r.FlushedLsn)
                .ThenBy(r => r.NodeId, StringComparer.Ordinal)
                .Skip(most)
                .ToHashSet();
            replicas.RemoveAll(forgotten.Contains);
        }

        private List<string> Counted(List<ReplicaState> replicas) => [.. replicas.Where(IsCounted).Select(r => r.NodeId)];

        private bool IsCounted(ReplicaState replica) => !replica.Leaving && Candidates.Contains(replica.NodeId);

        // A copy on a node that has failed or is being drained counts for nothing anyway: it is what every such copy is, whatever becomes of the move.
        private ReplicaState Marked(ReplicaState replica) => replica.Leaving && !Candidates.Contains(replica.NodeId) ? replica with { Leaving = false } : replica;

        // The greatest goes: silent, far behind, async, in a zone with another copy, on a node with many, and of equals the last by id.
        private (bool Silent, int Behind, long Lacking, bool Async, int SharedZone, int Copies, int ById) Demerits(ReplicaState replica, IReadOnlyList<string> others) => (
            !Beating.Contains(replica.NodeId),
            replica.State switch { ReplicaProgress.InSync => 0, ReplicaProgress.Degraded or ReplicaProgress.CatchingUp => 1, ReplicaProgress.Connecting or ReplicaProgress.Disconnected => 2, _ => 3 },
            -replica.FlushedLsn,
            replica.Mode == ReplicaMode.Async,
            Spread.SharedZone(replica.NodeId, others),
            Spread.CopiesOn(replica.NodeId),
            Candidates.Count(n => string.CompareOrdinal(n, replica.NodeId) < 0));

        private ReplicaState Noted(string channel, ReplicaState replica)
        {
            if (Accounts.GetValueOrDefault(replica.NodeId)?.GetValueOrDefault(channel) is not { State: { } following } said)
            {
                return replica;
            }

            var progress = following switch
            {
                FollowState.CatchingUp or FollowState.Following => ReplicaProgress.CatchingUp,
                FollowState.NeedsRebuild => ReplicaProgress.NeedsRebuild,

                // What a diverged one has flushed is no measure of what it has of the log: it must not lead before others for it.
                _ => ReplicaProgress.Disconnected,
            };

            // An in-sync replica that waits for a leader lacks nothing by that: just then a failover needs to know that it is in sync.
            var keeps = replica.State == ReplicaProgress.InSync && following is FollowState.Following or FollowState.Disconnected;
            return keeps || progress == replica.State ? replica : replica with { State = progress, FlushedLsn = said.FlushedLsn };
        }
    }
}
