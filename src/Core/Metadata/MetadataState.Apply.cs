using System.Collections.Immutable;

namespace Baton.Core.Metadata;

// What each command changes. All of them fit (MetadataFit), so that what they name is there.
public sealed partial record MetadataState
{
    private MetadataState Changed(long lsn, DateTimeOffset at, MetadataCommand command) => command switch
    {
        CreateTopic c => Created(lsn, at, c),
        DeleteTopic c => Removed(lsn, c.Name),
        UpdateTopicConfig c => Configured(c),
        RegisterNode c => Registered(c),
        UpdateNodeStatus c => this with { Nodes = Nodes.SetItem(c.NodeId, Nodes[c.NodeId] with { Status = c.Status }) },
        RemoveNode c => this with { Nodes = Nodes.Remove(c.NodeId) },
        AssignPartition c => Assigned(c),
        SetPartitionLeader c => WithPartition(c.Topic, c.Partition, Led(Topics[c.Topic].Partitions[c.Partition], c.Leader, c.Term)),
        UpdateIsr c => WithPartition(c.Topic, c.Partition, Topics[c.Topic].Partitions[c.Partition] with { Isr = Ids(c.Isr), Term = c.Term }),
        SetHighWatermark c => Raised(c),
        CreateConsumerGroup c => this with { Groups = Groups.Add(c.GroupId, new ConsumerGroup(c.GroupId, c.Protocol, GroupState.Empty, 0, null, [])) },
        UpdateConsumerGroup c => this with { Groups = Groups.SetItem(c.GroupId, Updated(Groups[c.GroupId], c)) },
        CommitOffset c => Committed(at, c),
        DeleteConsumerGroup c => WithoutGroup(Groups[c.GroupId]),
        _ => throw new UnknownMetadataCommandException(command.GetType().Name, MetadataCodec.Version),
    };

    private MetadataState Created(long lsn, DateTimeOffset at, CreateTopic c)
    {
        var topic = new TopicState(
            c.Name,
            lsn,
            at,
            NextGeneration(c.Name),
            c.Partitions ?? MetadataLimits.DefaultPartitions,
            c.ReplicationFactor ?? MetadataLimits.DefaultReplicationFactor,
            c.Config is null ? NoConfig : NoConfig.AddRange(c.Config),
            ImmutableSortedDictionary<int, PartitionState>.Empty);
        var known = Deleted.TryGetValue(c.Name, out var deleted);
        return this with
        {
            Topics = Topics.Add(c.Name, topic),
            UnassignedTopics = UnassignedTopics.Add(c.Name),
            PartitionCount = PartitionCount + topic.PartitionCount,

            // The topic holds the generation now; its own deletion will remember it again.
            Deleted = known ? Deleted.Remove(c.Name) : Deleted,
            DeletedOrder = known ? DeletedOrder.Remove(deleted!.Lsn) : DeletedOrder,
        };
    }

    private MetadataState Removed(long lsn, string name)
    {
        var topic = Topics[name];
        var (groups, offsets) = (Groups, OffsetCount);
        foreach (var id in GroupsOfTopic.GetValueOrDefault(name, NoNames))
        {
            var without = groups[id].Without(name);
            offsets -= groups[id].OffsetCount - without.OffsetCount;
            groups = groups.SetItem(id, without);
        }

        var (deleted, order, floor) = (Deleted.Add(name, new DeletedTopic(topic.Generation, lsn)), DeletedOrder.Add(lsn, name), GenerationFloor);
        if (deleted.Count > MetadataLimits.MaxRememberedNames)
        {
            // What is forgotten here may be created again: every name that is not known begins above it from now on.
            var (oldest, forgotten) = order.First();
            floor = Math.Max(floor, deleted[forgotten].Generation);
            (deleted, order) = (deleted.Remove(forgotten), order.Remove(oldest));
        }

        return this with
        {
            Topics = Topics.Remove(name),
            UnassignedTopics = UnassignedTopics.Remove(name),
            PartitionCount = PartitionCount - topic.PartitionCount,
            Groups = groups,
            GroupsOfTopic = GroupsOfTopic.Remove(name),
            OffsetCount = offsets,
            Deleted = deleted,
            DeletedOrder = order,
            GenerationFloor = floor,
        };
    }

    private MetadataState Configured(UpdateTopicConfig c)
    {
        var topic = Topics[c.Name];
        var config = topic.Config;
        foreach (var (key, value) in c.Config)
        {
            config = value is null ? config.Remove(key) : config.SetItem(key, value);
        }

        return this with { Topics = Topics.SetItem(c.Name, topic with { Config = config }) };
    }

    private MetadataState Registered(RegisterNode c)
    {
        // The same incarnation may be told again, late: what has become of it since stays.
        var status = Nodes.TryGetValue(c.NodeId, out var known) && known.Incarnation == c.Incarnation ? known.Status : NodeStatus.Live;
        return this with { Nodes = Nodes.SetItem(c.NodeId, new MetadataNode(c.NodeId, c.Endpoint, c.Incarnation, c.Zone, c.Capacity, status)) };
    }

    private MetadataState Assigned(AssignPartition c)
    {
        var topic = Topics[c.Topic];
        var replicas = Ids(c.Replicas);
        if (!topic.Partitions.TryGetValue(c.Partition, out var known))
        {
            var leader = Known(c.Leader);
            known = new PartitionState(c.Channel, leader, c.Term, replicas, leader is null ? [] : [leader], 0);
            return WithPartition(c.Topic, c.Partition, known) is var next && next.Topics[c.Topic] is var after && after.Partitions.Count == after.PartitionCount
                ? next with { UnassignedTopics = next.UnassignedTopics.Remove(c.Topic) }
                : next;
        }

        return WithPartition(c.Topic, c.Partition, Led(known with { Replicas = replicas }, c.Leader, c.Term));
    }

    // A leader is in sync with itself. The other replicas stay as they were until it says otherwise.
    private PartitionState Led(PartitionState partition, string? leader, long term)
    {
        leader = Known(leader);
        var isr = partition.Isr.RemoveAll(n => n != leader && !partition.Replicas.Contains(n, StringComparer.Ordinal));
        return partition with { Leader = leader, Term = term, Isr = leader is null || isr.Contains(leader, StringComparer.Ordinal) ? isr : isr.Add(leader) };
    }

    private MetadataState Raised(SetHighWatermark c)
    {
        var partition = Topics[c.Topic].Partitions[c.Partition];
        return c.HighWatermark > partition.HighWatermark ? WithPartition(c.Topic, c.Partition, partition with { HighWatermark = c.HighWatermark }) : this;
    }

    private static ConsumerGroup Updated(ConsumerGroup group, UpdateConsumerGroup c)
    {
        var members = c.Members is null ? group.Members : [.. c.Members];
        var leader = c.Leader ?? group.Leader;
        return group with
        {
            State = c.State ?? group.State,
            Generation = c.Generation ?? group.Generation,
            Leader = members.Any(m => m.MemberId == leader) ? leader : null,
            Members = members,
        };
    }

    private MetadataState Committed(DateTimeOffset at, CommitOffset c)
    {
        var group = Groups[c.GroupId];
        var changed = group.With(c.Topic, c.Partition, new GroupOffset(c.Offset, c.Note, at));
        var next = this with { Groups = Groups.SetItem(c.GroupId, changed), OffsetCount = OffsetCount + changed.OffsetCount - group.OffsetCount };
        return group.Offsets.ContainsKey(c.Topic)
            ? next
            : next with { GroupsOfTopic = GroupsOfTopic.SetItem(c.Topic, GroupsOfTopic.GetValueOrDefault(c.Topic, NoNames).Add(c.GroupId)) };
    }

    private MetadataState WithoutGroup(ConsumerGroup group)
    {
        var ofTopic = GroupsOfTopic;
        foreach (var topic in group.Offsets.Keys)
        {
            var left = ofTopic[topic].Remove(group.GroupId);
            ofTopic = left.IsEmpty ? ofTopic.Remove(topic) : ofTopic.SetItem(topic, left);
        }

        return this with { Groups = Groups.Remove(group.GroupId), GroupsOfTopic = ofTopic, OffsetCount = OffsetCount - group.OffsetCount };
    }

    private MetadataState WithPartition(string name, int partition, PartitionState state)
    {
        var topic = Topics[name];
        return this with { Topics = Topics.SetItem(name, topic with { Partitions = topic.Partitions.SetItem(partition, state) }) };
    }

    // A node's id is in as many partitions as it has copies: one text for all of them.
    private string? Known(string? nodeId) => nodeId is not null && Nodes.TryGetKey(nodeId, out var known) ? known : nodeId;

    private ImmutableArray<string> Ids(IReadOnlyList<string> nodeIds) => [.. nodeIds.Select(n => Known(n)!)];
}
