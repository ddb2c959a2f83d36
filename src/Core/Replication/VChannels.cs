using Baton.Core.Api;

namespace Baton.Core.Replication;

/// <summary>
/// Names of logical streams. A vchannel is <c>{channel}_v{suffix}</c>; a channel may stand for itself. Channel names never contain
/// the separator, so the last one always divides.
/// </summary>
public static class VChannels
{
    private const string Separator = "_v";
    private const string ControlSuffix = "_vcontrol";

    /// <summary>Whether <paramref name="channel"/> can be the name of a physical channel.</summary>
    public static bool IsValidChannel(string? channel) => Names.IsValidId(channel) && !channel!.Contains(Separator, StringComparison.Ordinal);

    /// <summary>Whether <paramref name="vchannel"/> is a channel's name, or a channel's name with a suffix of 1 to 63 id characters.</summary>
    public static bool IsValid(string? vchannel)
    {
        if (vchannel is null)
        {
            return false;
        }

        var at = vchannel.LastIndexOf(Separator, StringComparison.Ordinal);
        if (at < 0)
        {
            return IsValidChannel(vchannel);
        }

        var suffix = vchannel.AsSpan(at + Separator.Length);
        return IsValidChannel(vchannel[..at]) && suffix.Length is > 0 and <= Names.MaxLength && Names.IsValidTail(suffix);
    }

    /// <summary>The physical channel of <paramref name="vchannel"/>; a name without suffix is its own.</summary>
    public static string ChannelOf(string vchannel)
    {
        ArgumentNullException.ThrowIfNull(vchannel);
        var at = vchannel.LastIndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? vchannel : vchannel[..at];
    }

    /// <summary>The control vchannel on <paramref name="channel"/>; a cluster's is the one on its first channel.</summary>
    public static string Control(string channel) => channel + ControlSuffix;

    /// <summary>Whether <paramref name="vchannel"/> is a control vchannel.</summary>
    public static bool IsControl(string vchannel)
    {
        ArgumentNullException.ThrowIfNull(vchannel);
        return vchannel.EndsWith(ControlSuffix, StringComparison.Ordinal);
    }

    /// <summary><paramref name="vchannel"/> with its suffix on <paramref name="channel"/>.</summary>
    public static string MoveTo(string vchannel, string channel)
    {
        ArgumentNullException.ThrowIfNull(vchannel);
        var at = vchannel.LastIndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? channel : string.Concat(channel, vchannel.AsSpan(at));
    }
}
