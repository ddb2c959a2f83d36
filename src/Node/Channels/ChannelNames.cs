using Baton.Core.Api;
using Baton.Core.Replication;

namespace Baton.Node.Channels;

/// <summary>Checks names that come in from outside.</summary>
internal static class ChannelNames
{
    /// <summary>A channel's name.</summary>
    /// <exception cref="ApiException">InvalidArgument.</exception>
    public static void Check(string channel)
    {
        if (!VChannels.IsValidChannel(channel))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "a channel's name matches [a-z0-9][a-z0-9._-]{0,62} and does not contain \"_v\"");
        }
    }
}
