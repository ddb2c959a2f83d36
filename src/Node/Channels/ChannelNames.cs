using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Replication;

namespace Baton.Node.Channels;

/// <summary>Checks names that come in from outside.</summary>
internal static class ChannelNames
{
    /// <summary>A channel's name, or that of the metadata: for what the control plane and other nodes ask.</summary>
    /// <exception cref="ApiException">InvalidArgument.</exception>
    public static void CheckAny(string channel)
    {
        if (!MetadataChannel.Is(channel))
        {
            Check(channel);
        }
    }

    /// <summary>A channel's name. That of the metadata is none: no client reads or writes its log.</summary>
    /// <exception cref="ApiException">InvalidArgument.</exception>
    public static void Check(string channel)
    {
        if (!VChannels.IsValidChannel(channel))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "a channel's name matches [a-z0-9][a-z0-9._-]{0,62} and does not contain \"_v\"");
        }
    }
}
