using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;

namespace Baton.Gateway.Forwarding;

/// <summary>A client's request as it goes on to a node, as often as need be.</summary>
/// <param name="Method">Its method.</param>
/// <param name="Channel">The channel whose leader it is for; null where it is for the metadata.</param>
/// <param name="Path">Its path, escaped.</param>
/// <param name="Query">Its query, as it came, with the question mark.</param>
/// <param name="Body">Its body.</param>
internal sealed record ForwardedRequest(HttpMethod Method, string? Channel, string Path, QueryString Query, RepeatableBody Body)
{
    /// <summary>The longest that a node lets a read wait; what asks for more gets its 400 from the node.</summary>
    private const int MaxWaitMs = 60_000;

    private const string WaitMs = "waitMs";

    /// <summary>How long it asks to wait for something to show.</summary>
    public TimeSpan Wait { get; } = Method == HttpMethod.Get ? WaitOf(Query) : TimeSpan.Zero;

    /// <summary>It is an append, which takes a stamp, so that it may be sent again when nobody knows whether it arrived.</summary>
    public bool IsAppend { get; init; }

    /// <summary>The stamp that the client has put into the header itself: who does that numbers its own writes, as in a body.</summary>
    public string? ClientStamp { get; init; }

    /// <summary>It may be sent again when nobody knows whether it arrived.</summary>
    public bool IsRepeatable { get; init; } = true;

    /// <summary>The path and query. From the second attempt on a read asks to wait for what is left of its time only.</summary>
    public string Target(TimeSpan waitLeft, bool isFirst) => isFirst || Wait == TimeSpan.Zero ? Path + Query.Value : Path + WithWait(waitLeft);

    private static TimeSpan WaitOf(QueryString query)
    {
        foreach (var pair in new QueryStringEnumerable(query.Value))
        {
            if (IsWait(pair) && int.TryParse(pair.DecodeValue().Span, NumberStyles.None, CultureInfo.InvariantCulture, out var ms))
            {
                return TimeSpan.FromMilliseconds(Math.Min(ms, MaxWaitMs));
            }
        }

        return TimeSpan.Zero;
    }

    private static bool IsWait(QueryStringEnumerable.EncodedNameValuePair pair) => pair.DecodeName().Span.Equals(WaitMs, StringComparison.OrdinalIgnoreCase);

    private string WithWait(TimeSpan wait)
    {
        var query = new StringBuilder("?").Append(WaitMs).Append('=').Append((long)wait.TotalMilliseconds);
        foreach (var pair in new QueryStringEnumerable(Query.Value))
        {
            if (!IsWait(pair))
            {
                query.Append('&').Append(pair.EncodedName).Append('=').Append(pair.EncodedValue);
            }
        }

        return query.ToString();
    }
}
