using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>The catalogue as the API shows it. Lists are pages: the rows above <c>after</c> in the order of names, at most <c>max</c>.</summary>
public static class MetadataViews
{
    /// <summary>A page of topics; shorter where they have more than <see cref="MetadataLimits.MaxPartitionsPerPage"/> partitions together.</summary>
    public static MetadataPage<TopicView> Topics(MetadataState state, string? after = null, int max = MetadataLimits.MaxPage)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Page(state.Topics, after, max, t => Of(t), t => t.PartitionCount);
    }

    /// <summary>A topic, or null.</summary>
    public static TopicView? Topic(MetadataState state, string name)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Topics.TryGetValue(name, out var topic) ? Of(topic) : null;
    }

    /// <summary>The topics that records <paramref name="firstLsn"/> to <paramref name="lastLsn"/> created and that are still there, in the commands' order; null where there are none, as an answer leaves them out.</summary>
    /// <param name="state">The state with these records.</param>
    /// <param name="commands">Their commands.</param>
    /// <param name="firstLsn">LSN of the first.</param>
    /// <param name="lastLsn">LSN of the last.</param>
    public static IReadOnlyList<TopicView>? Created(MetadataState state, IEnumerable<MetadataCommand> commands, long firstLsn, long lastLsn)
    {
        ArgumentNullException.ThrowIfNull(state);
        var views = commands.OfType<CreateTopic>().Select(c => state.Topics.GetValueOrDefault(c.Name)).OfType<TopicState>()
            .Where(t => t.TopicId >= firstLsn && t.TopicId <= lastLsn).DistinctBy(t => t.TopicId).Select(t => Of(t)).ToArray();
        return views.Length == 0 ? null : views;
    }

    /// <summary>A page of nodes.</summary>
    public static MetadataPage<MetadataNodeView> Nodes(MetadataState state, string? after = null, int max = MetadataLimits.MaxPage)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Page(state.Nodes, after, max, Of, _ => 0);
    }

    /// <summary>A node, or null.</summary>
    public static MetadataNodeView? Node(MetadataState state, string nodeId)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Nodes.TryGetValue(nodeId, out var node) ? Of(node) : null;
    }

    /// <summary>A page of groups, without their offsets.</summary>
    public static MetadataPage<GroupView> Groups(MetadataState state, string? after = null, int max = MetadataLimits.MaxPage)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Page(state.Groups, after, max, g => Of(g, withOffsets: false), _ => 0);
    }

    /// <summary>A group with its offsets, or null.</summary>
    public static GroupView? Group(MetadataState state, string groupId)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Groups.TryGetValue(groupId, out var group) ? Of(group, withOffsets: true) : null;
    }

    /// <summary>A topic's view.</summary>
    public static TopicView Of(TopicState topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        return new TopicView(topic.Name, topic.TopicId, topic.CreatedAt, topic.ReplicationFactor, topic.Config, [.. Enumerable.Range(0, topic.PartitionCount).Select(p => Of(topic, p))]);
    }

    private static PartitionView Of(TopicState topic, int number) => topic.Partitions.TryGetValue(number, out var p)
        ? new PartitionView(number, p.Channel, p.Leader, p.Term, p.Replicas, p.Isr, p.HighWatermark)
        : new PartitionView(number, topic.ChannelOf(number), null, 0, [], [], 0);

    private static MetadataNodeView Of(MetadataNode node) => new(node.NodeId, node.Endpoint, node.Incarnation, node.Zone, node.Capacity, node.Status);

    private static GroupView Of(ConsumerGroup group, bool withOffsets) => new(
        group.GroupId,
        group.Protocol,
        group.State,
        group.Generation,
        group.Leader,
        group.Members,
        withOffsets ? [.. group.Offsets.SelectMany(t => t.Value.Select(o => new GroupOffsetView(t.Key, o.Key, o.Value.Offset, o.Value.Note, o.Value.At)))] : null);

    // The rows before the page are walked over, since an immutable sorted dictionary has no seek: some milliseconds for 100,000.
    private static MetadataPage<TView> Page<TState, TView>(IEnumerable<KeyValuePair<string, TState>> state, string? after, int max, Func<TState, TView> view, Func<TState, int> partitions)
    {
        var rows = new List<TView>();
        var (last, left) = ((string?)null, MetadataLimits.MaxPartitionsPerPage);
        foreach (var (name, row) in state.SkipWhile(r => after is not null && string.CompareOrdinal(r.Key, after) <= 0))
        {
            left -= partitions(row);
            if (rows.Count == Math.Clamp(max, 1, MetadataLimits.MaxPage) || (left < 0 && rows.Count > 0))
            {
                return new MetadataPage<TView>(rows, last);
            }

            rows.Add(view(row));
            last = name;
        }

        return new MetadataPage<TView>(rows, null);
    }
}

/// <summary>A page of a list.</summary>
/// <param name="Rows">Its rows.</param>
/// <param name="Next">What to ask for the next one with, as <c>after</c>; null where this is the last.</param>
public sealed record MetadataPage<T>(IReadOnlyList<T> Rows, string? Next);
