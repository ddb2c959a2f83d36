using Baton.Core.Api;
using Baton.Core.Cluster;

namespace Baton.Core.Metadata;

/// <summary>What it takes for the catalogue to say what the cluster's state says.</summary>
public static class CatalogueDifference
{
    /// <summary>The commands that make it so, and the channels whose topics are gone. Asked again with these applied, it answers nothing.</summary>
    /// <param name="state">The catalogue, as its leader has it.</param>
    /// <param name="topology">The cluster's state.</param>
    public static (IReadOnlyList<MetadataCommand> Commands, IReadOnlyList<ChannelOfTopic> Retired) Between(MetadataState state, TopologyView topology)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(topology);
        var commands = new List<MetadataCommand>();
        AddNodes(commands, state, topology);
        var failed = topology.Nodes.Where(n => n.Failed).Select(n => n.NodeId).ToHashSet(StringComparer.Ordinal);
        var channels = topology.Channels.Where(c => c.TopicId is not null).ToDictionary(c => c.Name, StringComparer.Ordinal);
        foreach (var topic in state.Topics.Values)
        {
            foreach (var (partition, known) in topic.Partitions)
            {
                if (channels.TryGetValue(known.Channel, out var channel) && channel.TopicId == topic.TopicId)
                {
                    AddPartition(commands, topic, partition, known, channel, failed);
                }
            }
        }

        // A topic that is younger than this state is not known to be gone.
        var topics = state.Topics.Values.Select(t => t.TopicId).ToHashSet();
        return (commands, [.. channels.Values.Where(c => c.TopicId <= state.LastLsn && !topics.Contains(c.TopicId.Value)).Select(c => new ChannelOfTopic(c.Name, c.TopicId!.Value))]);
    }

    /// <summary>The place of a partition, as the cluster's state has it.</summary>
    public static MetadataCommand Assign(TopicState topic, int partition, ChannelView channel) => Assign(topic, partition, channel, new HashSet<string>(StringComparer.Ordinal));

    private static AssignPartition Assign(TopicState topic, int partition, ChannelView channel, HashSet<string> failed)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ArgumentNullException.ThrowIfNull(channel);
        return new AssignPartition(topic.Name, partition, channel.Name, [.. Owners(channel, failed)], channel.Leader, channel.Term, topic.TopicId);
    }

    private static void AddNodes(List<MetadataCommand> commands, MetadataState state, TopologyView topology)
    {
        foreach (var node in topology.Nodes)
        {
            var known = state.Nodes.GetValueOrDefault(node.NodeId);
            if (known is null || known.Incarnation < node.Incarnation
                || (known.Incarnation == node.Incarnation && (known.Endpoint != node.Endpoint || known.Zone != node.Zone || known.Capacity != node.Capacity)))
            {
                commands.Add(new RegisterNode(node.NodeId, node.Endpoint, node.Incarnation, node.Zone, node.Capacity));
                known = new MetadataNode(node.NodeId, node.Endpoint, node.Incarnation, node.Zone, node.Capacity, known?.Incarnation == node.Incarnation ? known.Status : NodeStatus.Live);
            }

            var status = node.Failed ? NodeStatus.Failed : node.Draining ? NodeStatus.Draining : NodeStatus.Live;
            if (known.Incarnation == node.Incarnation && known.Status != status)
            {
                commands.Add(new UpdateNodeStatus(node.NodeId, status, node.Incarnation));
            }
        }

        var members = topology.Nodes.Select(n => n.NodeId).ToHashSet(StringComparer.Ordinal);
        commands.AddRange(state.Nodes.Keys.Where(n => !members.Contains(n)).Select(n => new RemoveNode(n)));
    }

    private static void AddPartition(List<MetadataCommand> commands, TopicState topic, int partition, PartitionState known, ChannelView channel, HashSet<string> failed)
    {
        if (channel.Term < known.Term)
        {
            // Written by a leader that had read a later state than this one.
            return;
        }

        var owners = Owners(channel, failed);
        if (!owners.Order(StringComparer.Ordinal).SequenceEqual(known.Replicas.Order(StringComparer.Ordinal), StringComparer.Ordinal))
        {
            commands.Add(Assign(topic, partition, channel, failed));
        }
        else if (channel.Term > known.Term || channel.Leader != known.Leader)
        {
            commands.Add(new SetPartitionLeader(topic.Name, partition, channel.Leader, channel.Term, topic.TopicId));
        }

        List<string> inSync = [.. channel.Leader is { } leader ? [leader] : (string[])[], .. channel.Replicas.Where(r => r.State == ReplicaProgress.InSync && !failed.Contains(r.NodeId)).Select(r => r.NodeId)];
        if (!inSync.Order(StringComparer.Ordinal).SequenceEqual(known.Isr.Order(StringComparer.Ordinal), StringComparer.Ordinal))
        {
            commands.Add(new UpdateIsr(topic.Name, partition, inSync, channel.Term, topic.TopicId));
        }
    }

    // What the state keeps of copies on failed nodes is evidence for those who rebuild them, and serves nobody.
    private static List<string> Owners(ChannelView channel, HashSet<string> failed) =>
        [.. channel.Leader is { } leader ? [leader] : (string[])[], .. channel.Replicas.Select(r => r.NodeId).Where(n => !failed.Contains(n))];
}
