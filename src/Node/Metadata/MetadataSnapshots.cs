using Baton.Core.Metadata;
using Baton.Node.Channels;

namespace Baton.Node.Metadata;

/// <summary>The catalogue within the snapshots of its log.</summary>
internal static class MetadataSnapshots
{
    /// <summary>The catalogue of a snapshot at <paramref name="lsn"/>; null where it has none that can be used.</summary>
    public static MetadataState? TryDecode(ChannelSnapshot content, long lsn, out string? problem)
    {
        if (content.Metadata is null)
        {
            problem = "it has no catalogue";
            return null;
        }

        var state = MetadataSnapshot.TryDecode(content.Metadata, out problem);
        if (state is not null && state.LastLsn != lsn)
        {
            (problem, state) = ($"its catalogue is that of LSN {state.LastLsn}", null);
        }

        return state;
    }
}
