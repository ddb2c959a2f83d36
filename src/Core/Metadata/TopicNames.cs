using Baton.Core.Api;

namespace Baton.Core.Metadata;

/// <summary>The form of topic names: <c>[a-z0-9][a-z0-9._-]{0,47}</c> without <c>_v</c>, which marks vchannels.</summary>
public static class TopicNames
{
    /// <summary>Characters of the longest name: the channel's suffix, <c>-999-g999999999</c>, fits behind it.</summary>
    public const int MaxLength = 48;

    /// <summary>Whether <paramref name="name"/> can be a topic's.</summary>
    public static bool IsValid(string? name) => name is { Length: <= MaxLength } && Names.IsValidId(name) && !name.Contains("_v", StringComparison.Ordinal);
}
