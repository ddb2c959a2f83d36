using Baton.Core.Cluster;
using Baton.Core.Replication;

namespace Baton.Core.Api;

/// <summary>What a report lists that says that a node cannot lead: channels, each with the term at which it cannot.</summary>
public static class Leaderships
{
    /// <summary>
    /// The most that one report lists. With the longest names, terms and reason that are allowed its message is below 32 KiB, and the dead letter that it may become, which holds it in base64, below the 48 KiB
    /// of a local queue.
    /// </summary>
    public const int Max = 200;

    /// <summary>Whether <paramref name="leaderships"/> are 1 to <see cref="Max"/> channels, none of them twice, at terms that can be.</summary>
    public static bool AreValid(IReadOnlyList<ChannelAtTerm> leaderships)
    {
        ArgumentNullException.ThrowIfNull(leaderships);
        return leaderships.Count is >= 1 and <= Max
            && leaderships.All(l => l is not null && (VChannels.IsValidChannel(l.Channel) || MetadataChannel.Is(l.Channel)) && ExactNumbers.IsPosition(l.Term))
            && leaderships.DistinctBy(l => l.Channel, StringComparer.Ordinal).Count() == leaderships.Count;
    }
}
