using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Baton.Core.Metadata;

/// <summary>
/// Names of the channels of partitions: <c>{topic}-{partition}</c>, and <c>{topic}-{partition}-g{generation}</c> from the second topic of a name on: the log of an old channel is never written by a new topic.
/// The two forms never meet, and each is read from its end, where no dash can be within a number: a name belongs to one partition of one topic only.
/// </summary>
public static class PartitionChannels
{
    /// <summary>The channel of <paramref name="partition"/> of the <paramref name="generation"/>th topic called <paramref name="topic"/>.</summary>
    public static string NameOf(string topic, int partition, long generation) =>
        generation == 1 ? string.Create(CultureInfo.InvariantCulture, $"{topic}-{partition}") : string.Create(CultureInfo.InvariantCulture, $"{topic}-{partition}-g{generation}");

    /// <summary>Reads the channel's name of a first generation, which is what a topic that is not there yet can be created by.</summary>
    public static bool TryParse(string? channel, [NotNullWhen(true)] out string? topic, out int partition)
    {
        topic = null;
        partition = 0;
        if (channel?.LastIndexOf('-') is not (> 0 and var dash))
        {
            return false;
        }

        // One partition has one name: no sign, no blank, no leading zero.
        var digits = channel.AsSpan(dash + 1);
        if (digits.Length is 0 or > 3 || (digits[0] == '0' && digits.Length > 1) || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out partition))
        {
            return false;
        }

        var name = channel[..dash];
        topic = TopicNames.IsValid(name) ? name : null;
        return topic is not null;
    }

    /// <summary>The topic, of those that are there, whose partition <paramref name="channel"/> carries, whether it has its place yet or not; null where it carries none.</summary>
    public static (TopicState Topic, int Partition)? FindPartition(this MetadataState state, string channel)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(channel);
        var mark = channel.LastIndexOf("-g", StringComparison.Ordinal);
        var isLater = mark > 0 && long.TryParse(channel.AsSpan(mark + 2), NumberStyles.None, CultureInfo.InvariantCulture, out _);
        return TryParse(isLater ? channel[..mark] : channel, out var name, out var partition)
            && state.Topics.TryGetValue(name, out var topic) && partition < topic.PartitionCount && NameOf(name, partition, topic.Generation) == channel
            ? (topic, partition)
            : null;
    }
}
