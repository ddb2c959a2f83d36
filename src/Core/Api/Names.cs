using System.Buffers;

namespace Baton.Core.Api;

/// <summary>The form of ids: cluster, node, channel and producer ids match <c>[a-z0-9][a-z0-9._-]{0,62}</c>.</summary>
public static class Names
{
    /// <summary>Characters of the longest id.</summary>
    public const int MaxLength = 63;

    private static readonly SearchValues<char> First = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");
    private static readonly SearchValues<char> Rest = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>Whether <paramref name="id"/> is an id.</summary>
    public static bool IsValidId(string? id) =>
        id is { Length: > 0 and <= MaxLength } && First.Contains(id[0]) && IsValidTail(id);

    /// <summary>Whether <paramref name="text"/> has only the characters that an id may have after its first.</summary>
    internal static bool IsValidTail(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Rest);
}
