using System.Globalization;
using Baton.Core.Api;

namespace Baton.Node.Messages;

/// <summary>
/// Header <c>X-Baton-Producer</c>: the stamp <c>id;sequence</c> of an append whose body has none. A gateway gives one to whatever it may have to send again, and need not know the body's form for it.
/// </summary>
internal static class ProducerHeader
{
    /// <summary>The header's stamp; null where there is none.</summary>
    /// <exception cref="ApiException">400 where it is no stamp, even if the body has one of its own.</exception>
    public static ProducerStamp? Read(HttpRequest request)
    {
        if (!request.Headers.TryGetValue(BatonHeaders.Producer, out var values))
        {
            return null;
        }

        return Parse(values.Count == 1 ? values[0] ?? "" : "");
    }

    /// <summary>The stamp that a text says.</summary>
    /// <exception cref="ApiException">400 where it is no stamp.</exception>
    public static ProducerStamp Parse(string text)
    {
        var split = text.IndexOf(';', StringComparison.Ordinal);
        return split > 0 && Names.IsValidId(text[..split]) && long.TryParse(text.AsSpan(split + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var sequence)
            ? new ProducerStamp(text[..split], sequence)
            : throw new ApiException(
                ApiErrorCode.InvalidArgument,
                $"header {BatonHeaders.Producer} must be a stamp, given once: a producer id that matches [a-z0-9][a-z0-9._-]{{0,62}}, a semicolon, and a whole number, 0 or above and below 2^63");
    }
}
