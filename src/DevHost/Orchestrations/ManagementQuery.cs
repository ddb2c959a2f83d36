using System.Globalization;
using System.Text;
using Microsoft.DurableTask.Protobuf;

namespace Baton.DevHost.Orchestrations;

/// <summary>The query of a management call. As in the extension, what cannot be read counts as not given.</summary>
internal static class ManagementQuery
{
    // A longer wait than anybody's; the framework's timers end at 49 days.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private static readonly string[] Statuses = [.. Enum.GetNames<OrchestrationStatus>()];

    public static bool Flag(HttpContext http, string name, bool otherwise) => bool.TryParse(http.Request.Query[name], out var flag) ? flag : otherwise;

    /// <summary>How many at most; null for no wish.</summary>
    public static int? Top(HttpContext http) => int.TryParse(http.Request.Query["top"], NumberStyles.None, CultureInfo.InvariantCulture, out var top) && top > 0 ? top : null;

    /// <summary>How long a start or restart waits for the end.</summary>
    /// <exception cref="InstanceRequestException">400: it would poll less often than once.</exception>
    public static TimeSpan Wait(HttpContext http)
    {
        var (timeout, interval) = (Seconds("timeout"), Seconds("pollingInterval"));
        return timeout is { } t && interval is { } i && i > t
            ? throw new InstanceRequestException(400, $"Total timeout {t.TotalSeconds} should be bigger than retry timeout {i.TotalSeconds}")
            : timeout ?? TimeSpan.Zero;

        TimeSpan? Seconds(string name) => double.TryParse(http.Request.Query[name], NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0
            ? TimeSpan.FromSeconds(Math.Min(seconds, LongestWait.TotalSeconds))
            : null;
    }

    public static InstanceFilter Filter(HttpContext http)
    {
        var query = http.Request.Query;
        var statuses = query["runtimeStatus"].SelectMany(s => (s ?? "").Split(',', StringSplitOptions.TrimEntries)).Intersect(Statuses, StringComparer.Ordinal).ToList();
        return new InstanceFilter(query["instanceIdPrefix"], Time("createdTimeFrom"), Time("createdTimeTo"), statuses.Count > 0 ? statuses : null);

        DateTimeOffset? Time(string name) =>
            DateTimeOffset.TryParse(query[name], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time : null;
    }

    /// <summary>Where a list goes on; null for its beginning.</summary>
    /// <exception cref="InstanceRequestException">400: no list has given this token.</exception>
    public static string? Continuation(HttpContext http)
    {
        if (http.Request.Headers[ManagementApi.ContinuationHeader].ToString() is not { Length: > 0 } token)
        {
            return null;
        }

        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(Convert.FromBase64String(token));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            throw new InstanceRequestException(400, $"The continuation token is none: {e.Message}");
        }
    }
}
