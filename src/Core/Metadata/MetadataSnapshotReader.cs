using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Baton.Core.Channels;

namespace Baton.Core.Metadata;

/// <summary>Reads what <see cref="MetadataSnapshot"/> writes. What is counted or found by another key is not in the bytes, and made again here. Every failure is a <see cref="Wal.WalFormatException"/>.</summary>
internal ref struct MetadataSnapshotReader
{
    private static readonly long LastTick = DateTimeOffset.MaxValue.UtcTicks;
    private static readonly ImmutableSortedDictionary<string, string> NoConfig = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    // Ids of nodes are in as many partitions as they have copies: one text for all of them.
    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, List<string>> _groupsOfTopic = new(StringComparer.Ordinal);
    private readonly List<string> _unassigned = [];
    private readonly (byte[] Bytes, string Text)[] _recent = new (byte[], string)[64];
    private SnapshotReader _reader;
    private int _partitions;
    private int _offsets;

    private MetadataSnapshotReader(ReadOnlySpan<byte> content) => _reader = new SnapshotReader(content);

    /// <summary>The state of <paramref name="content"/>, which begins with the version and has no checksum any more.</summary>
    public static MetadataState Read(ReadOnlySpan<byte> content) => new MetadataSnapshotReader(content).State();

    private MetadataState State()
    {
        _reader.Number("version");
        var lsn = Number("last LSN", 0);
        var floor = Number("generation floor", 0);
        var topics = Topics();
        var nodes = Nodes();
        var groups = Groups();
        var deleted = ImmutableSortedDictionary.CreateBuilder<string, DeletedTopic>(StringComparer.Ordinal);
        var order = ImmutableSortedDictionary.CreateBuilder<long, string>();
        var previous = 0L;
        for (var left = _reader.Count("deleted topics"); left > 0; left--)
        {
            previous = Number("LSN of a deletion", previous + 1);
            var name = _reader.Text("name of a deleted topic");
            if (!deleted.TryAdd(name, new DeletedTopic(Number("generation of a deleted topic", 1), previous)))
            {
                throw _reader.Wrong($"deleted topic '{name}' is there twice");
            }

            order.Add(previous, name);
        }

        return _reader.Left > 0 ? throw _reader.Wrong($"{_reader.Left} bytes are left") : MetadataState.Empty with
        {
            LastLsn = lsn,
            GenerationFloor = floor,
            Topics = topics,
            Nodes = nodes,
            Groups = groups,
            Deleted = deleted.ToImmutable(),
            DeletedOrder = order.ToImmutable(),
            UnassignedTopics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, _unassigned),
            PartitionCount = _partitions,
            OffsetCount = _offsets,
            GroupsOfTopic = _groupsOfTopic.ToImmutableSortedDictionary(g => g.Key, g => ImmutableSortedSet.CreateRange(StringComparer.Ordinal, g.Value), StringComparer.Ordinal),
        };
    }

    private ImmutableSortedDictionary<string, TopicState> Topics()
    {
        var topics = ImmutableSortedDictionary.CreateBuilder<string, TopicState>(StringComparer.Ordinal);
        string? name = null;
        for (var left = _reader.Count("topics"); left > 0; left--)
        {
            name = Next(name, "name of a topic");
            var (id, created, generation) = (Number("topic id", 1), Time("creation"), Number("generation", 1));
            var (count, factor, config) = ((int)Number("partition count", 1, int.MaxValue), (int)Number("replication factor", 1, int.MaxValue), Config());
            var topic = new TopicState(name, id, created, generation, count, factor, config, Partitions(name, generation, count));
            topics.Add(name, topic);
            _partitions += topic.PartitionCount;
            if (topic.Partitions.Count < topic.PartitionCount)
            {
                _unassigned.Add(name);
            }
        }

        return topics.ToImmutable();
    }

    private ImmutableSortedDictionary<string, string> Config()
    {
        var count = _reader.Count("settings");
        if (count == 0)
        {
            return NoConfig;
        }

        var config = NoConfig.ToBuilder();
        string? key = null;
        for (; count > 0; count--)
        {
            key = Next(key, "name of a setting");
            config.Add(key, _reader.Text("value of a setting"));
        }

        return config.ToImmutable();
    }

    private ImmutableSortedDictionary<int, PartitionState> Partitions(string topic, long generation, int count)
    {
        var left = _reader.Count("partitions");
        if (left == 0)
        {
            return ImmutableSortedDictionary<int, PartitionState>.Empty;
        }

        var partitions = ImmutableSortedDictionary.CreateBuilder<int, PartitionState>();
        var number = -1;
        for (; left > 0; left--)
        {
            number = (int)Number("number of a partition", number + 1, count - 1);
            var leader = _reader.Flag("whether it has a leader") ? Id("leader") : null;
            var term = Number("term", 0);
            var replicas = Ids("replicas");
            partitions.Add(number, new PartitionState(PartitionChannels.NameOf(topic, number, generation), leader, term, replicas, Ids("isr"), Number("high watermark", 0)));
        }

        return partitions.ToImmutable();
    }

    private ImmutableSortedDictionary<string, MetadataNode> Nodes()
    {
        var nodes = ImmutableSortedDictionary.CreateBuilder<string, MetadataNode>(StringComparer.Ordinal);
        string? id = null;
        for (var left = _reader.Count("nodes"); left > 0; left--)
        {
            id = Next(id, "id of a node");
            var endpoint = Uri.TryCreate(_reader.Text("endpoint"), UriKind.Absolute, out var uri) ? uri : throw _reader.Wrong("an endpoint is no address");
            var incarnation = Number("incarnation", 0);
            var zone = Optional("zone");
            nodes.Add(id, new MetadataNode(id, endpoint, incarnation, zone, (int)Number("capacity", 1, int.MaxValue), (NodeStatus)Number("status", 0, (long)NodeStatus.Failed)));
        }

        return nodes.ToImmutable();
    }

    private ImmutableSortedDictionary<string, ConsumerGroup> Groups()
    {
        var groups = ImmutableSortedDictionary.CreateBuilder<string, ConsumerGroup>(StringComparer.Ordinal);
        string? id = null;
        for (var left = _reader.Count("groups"); left > 0; left--)
        {
            id = Next(id, "id of a group");
            var protocol = Optional("protocol");
            var state = (GroupState)Number("state of a group", 0, (long)GroupState.Stable);
            var group = new ConsumerGroup(id, protocol, state, Number("generation of a group", 0), Optional("leader of a group"), Members());
            group = WithOffsets(group);
            groups.Add(id, group);
            _offsets += group.OffsetCount;
        }

        return groups.ToImmutable();
    }

    private ImmutableArray<GroupMember> Members()
    {
        var members = ImmutableArray.CreateBuilder<GroupMember>();
        for (var left = _reader.Count("members"); left > 0; left--)
        {
            var id = _reader.Text("id of a member");
            var client = Optional("client id");
            IReadOnlyList<string>? topics = _reader.Flag("whether it names topics") ? Ids("topics of a member") : null;
            members.Add(new GroupMember(id, client, topics, Optional("assignment")));
        }

        return members.ToImmutable();
    }

    private ConsumerGroup WithOffsets(ConsumerGroup group)
    {
        var offsets = group.Offsets.ToBuilder();
        var count = 0;
        string? topic = null;
        for (var left = _reader.Count("topics of a group"); left > 0; left--)
        {
            topic = Next(topic, "topic of a group");
            var partitions = ImmutableSortedDictionary.CreateBuilder<int, GroupOffset>();
            var partition = -1;
            for (var rows = _reader.Count("offsets"); rows > 0; rows--)
            {
                partition = (int)Number("partition of an offset", partition + 1, int.MaxValue);
                partitions.Add(partition, new GroupOffset(Number("offset", 0), Optional("note"), Time("commit")));
            }

            offsets.Add(Interned(topic), partitions.ToImmutable());
            count += partitions.Count;
            if (!_groupsOfTopic.TryGetValue(topic, out var groups))
            {
                _groupsOfTopic.Add(topic, groups = []);
            }

            groups.Add(group.GroupId);
        }

        return group with { Offsets = offsets.ToImmutable(), OffsetCount = count };
    }

    // Keys ascend: one state has one form.
    private string Next(string? previous, string what)
    {
        var next = _reader.Text(what);
        return previous is null || string.CompareOrdinal(previous, next) < 0 ? next : throw _reader.Wrong($"{what} '{next}' is not above '{previous}'");
    }

    private long Number(string what, long from, long to = long.MaxValue)
    {
        var value = _reader.Number(what);
        return value >= from && value <= to ? value : throw _reader.Wrong($"{what} is {value}");
    }

    private DateTimeOffset Time(string what) => new(Number(what, 0, LastTick), TimeSpan.Zero);

    private string? Optional(string what) => _reader.Flag(what) ? _reader.Text(what) : null;

    // The ids of nodes are few and come in every partition: most are found among the last ones by their bytes, without making a text.
    private string Id(string what)
    {
        var before = _reader;
        var bytes = _reader.Bytes(what);
        ref var slot = ref _recent[(bytes.Length == 0 ? 0 : bytes[^1]) % _recent.Length];
        if (slot.Text is null || !bytes.SequenceEqual(slot.Bytes))
        {
            slot = (bytes.ToArray(), Interned(before.Text(what)));
        }

        return slot.Text;
    }

    private string Interned(string id)
    {
        if (!_ids.TryGetValue(id, out var known))
        {
            _ids.Add(id, known = id);
        }

        return known;
    }

    private ImmutableArray<string> Ids(string what)
    {
        var count = _reader.Count(what);
        var ids = count == 0 ? [] : new string[count];
        for (var i = 0; i < count; i++)
        {
            ids[i] = Id(what);
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(ids);
    }
}
