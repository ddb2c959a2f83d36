using Baton.Core.Api;
using Baton.Core.Metadata;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Metadata;

/// <summary>Whether a copy of the catalogue is what its clients were told: every client's topics, groups and offsets are its own, so its acknowledged requests in order say what there must be.</summary>
public static class MetadataStateCheck
{
    /// <summary>Compares a copy with what its clients know.</summary>
    /// <param name="requests">Their requests, those about one topic or group in order.</param>
    /// <param name="topics">All topics of the copy.</param>
    /// <param name="groups">All its groups, with their offsets.</param>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(IEnumerable<RecordedCommands> requests, IReadOnlyList<TopicView> topics, IReadOnlyList<GroupView> groups)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var known = new Known();
        foreach (var request in requests)
        {
            for (var i = 0; i < request.Commands.Count; i++)
            {
                known.Take(request.Commands[i], request.Written == Written.Surely ? request.FirstLsn + i : null);
            }
        }

        return [.. Topics(known, topics), .. Groups(known, groups)];
    }

    private static IEnumerable<string> Topics(Known known, IReadOnlyList<TopicView> topics)
    {
        var there = topics.ToLookup(t => t.Name, StringComparer.Ordinal);
        foreach (var (name, topic) in known.Topics.Where(t => !known.Doubtful.Contains(t.Key)))
        {
            var found = there[name].ToList();
            if (topic is null)
            {
                if (found.Count > 0)
                {
                    yield return $"topic {name}, whose deletion was acknowledged, is there with id {found[0].TopicId}";
                }
            }
            else if (found is not [var one])
            {
                yield return $"topic {name}, acknowledged as id {topic.TopicId}, is there {found.Count} times";
            }
            else if (one.TopicId != topic.TopicId || one.Partitions.Count != topic.Partitions || one.Config.GetValueOrDefault(CommandMarks.Setting) != topic.By)
            {
                yield return $"topic {name} was acknowledged as id {topic.TopicId} with {topic.Partitions} partitions by {topic.By}, and is id {one.TopicId} with {one.Partitions.Count} by {one.Config.GetValueOrDefault(CommandMarks.Setting)}";
            }
            else if (one.Partitions.Select(p => p.Channel).Distinct(StringComparer.Ordinal).Count() != topic.Partitions)
            {
                yield return $"partitions of topic {name} share a channel: {string.Join(", ", one.Partitions.Select(p => p.Channel))}";
            }
        }
    }

    private static IEnumerable<string> Groups(Known known, IReadOnlyList<GroupView> groups)
    {
        var there = groups.ToLookup(g => g.GroupId, StringComparer.Ordinal);
        foreach (var (id, offsets) in known.Groups.Where(g => !known.Doubtful.Contains(g.Key)))
        {
            var found = there[id].ToList();
            if (offsets is null)
            {
                if (found.Count > 0)
                {
                    yield return $"group {id}, whose deletion was acknowledged, is there";
                }
            }
            else if (found is not [var one])
            {
                yield return $"group {id}, whose creation was acknowledged, is there {found.Count} times";
            }
            else
            {
                var notes = one.Offsets?.ToDictionary(o => o.Topic, o => o.Note, StringComparer.Ordinal) ?? [];
                foreach (var (topic, note) in offsets.Where(o => !known.Doubtful.Contains(o.Key) && notes.GetValueOrDefault(o.Key) != o.Value))
                {
                    yield return $"group {id}: the last offset of {topic} was acknowledged with note {note}, and is there with {notes.GetValueOrDefault(topic) ?? "none"}";
                }
            }
        }
    }

    private sealed record KnownTopic(long TopicId, int Partitions, string? By);

    /// <summary>What there must be, as far as acknowledged commands say; null for what is deleted.</summary>
    private sealed class Known
    {
        public Dictionary<string, KnownTopic?> Topics { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, Dictionary<string, string?>?> Groups { get; } = new(StringComparer.Ordinal);

        /// <summary>Topics and groups that a command without an answer may have changed.</summary>
        public HashSet<string> Doubtful { get; } = new(StringComparer.Ordinal);

        /// <param name="command">The command.</param>
        /// <param name="lsn">Where it was acknowledged; null where it was not.</param>
        public void Take(MetadataCommand command, long? lsn)
        {
            if (lsn is null)
            {
                Doubtful.Add(NameOf(command));
                return;
            }

            switch (command)
            {
                case CreateTopic c:
                    Topics[c.Name] = new KnownTopic(lsn.Value, c.Partitions ?? MetadataLimits.DefaultPartitions, c.Config?.GetValueOrDefault(CommandMarks.Setting));
                    break;
                case UpdateTopicConfig c when Topics.GetValueOrDefault(c.Name) is { } topic:
                    Topics[c.Name] = topic with { By = c.Config.GetValueOrDefault(CommandMarks.Setting) };
                    break;
                case DeleteTopic c:
                    Topics[c.Name] = null;
                    foreach (var offsets in Groups.Values)
                    {
                        offsets?.Remove(c.Name);
                    }

                    break;
                case CreateConsumerGroup c:
                    Groups[c.GroupId] = new(StringComparer.Ordinal);
                    break;
                case CommitOffset c when Groups.GetValueOrDefault(c.GroupId) is { } offsets:
                    offsets[c.Topic] = c.Note;
                    break;
                case DeleteConsumerGroup c:
                    Groups[c.GroupId] = null;
                    break;
            }
        }

        private static string NameOf(MetadataCommand command) => command switch
        {
            CreateTopic c => c.Name,
            UpdateTopicConfig c => c.Name,
            DeleteTopic c => c.Name,
            CreateConsumerGroup c => c.GroupId,
            DeleteConsumerGroup c => c.GroupId,
            CommitOffset c => c.GroupId,
            _ => throw new ArgumentException($"{command} is no command of a load", nameof(command)),
        };
    }
}
