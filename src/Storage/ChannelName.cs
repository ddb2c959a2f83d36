using System.Runtime.CompilerServices;

namespace Baton.Storage;

/// <summary>What a channel may be called where it is stored: its name becomes part of a blob's name, a table key and a folder's name.</summary>
public static class ChannelName
{
    /// <summary>The rule, for messages.</summary>
    public const string Rule = "A channel's name is not . or .., and has 1 to 128 characters, none of / \\ # ? %";

    /// <summary>Whether <paramref name="channel"/> follows the rule.</summary>
    public static bool IsValid(string? channel) =>
        !string.IsNullOrWhiteSpace(channel)
        && channel is not ("." or "..")
        && channel.Length <= 128
        && !channel.Any(c => c is '/' or '\\' or '#' or '?' or '%' || char.IsControl(c));

    /// <summary>Throws when it does not.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    public static void Check(string channel, [CallerArgumentExpression(nameof(channel))] string? parameter = null)
    {
        ArgumentNullException.ThrowIfNull(channel, parameter);
        if (!IsValid(channel))
        {
            throw new ArgumentException($"{Rule}.", parameter);
        }
    }
}
