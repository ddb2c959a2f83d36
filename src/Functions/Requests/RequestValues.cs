using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Edge.Access;

namespace Baton.Functions.Requests;

/// <summary>Values of a request's path and query, checked.</summary>
internal static class RequestValues
{
    /// <summary>The longest any long poll or update waits.</summary>
    public const int MaxWaitMs = 60_000;

    private const string IdForm = "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit.";

    /// <summary>The id in the path at <paramref name="name"/>.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static string RouteId(this HttpRequest request, string name)
    {
        var value = request.RouteValues[name]?.ToString();
        return value is not null && Names.IsValidId(value)
            ? value
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"'{name}' in the path must be {IdForm}");
    }

    /// <summary>The channel in the path at <paramref name="name"/>: a client's, or that of the metadata, whose name is no id.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static string RouteChannel(this HttpRequest request, string name) =>
        request.RouteValues[name]?.ToString() is { } value && MetadataChannel.Is(value) ? value : request.RouteId(name);

    /// <summary>The id of the query at <paramref name="name"/>; null where there is none.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static string? QueryId(this HttpRequest request, string name) => request.Query[name].ToString() switch
    {
        "" => null,
        var id when Names.IsValidId(id) => id,
        _ => throw new ApiException(ApiErrorCode.InvalidArgument, $"'{name}' must be an id: {IdForm}"),
    };

    /// <summary>A whole number in the path.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static long RouteInt64(this HttpRequest request, string name) =>
        long.TryParse(request.RouteValues[name]?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"'{name}' in the path must be a whole number.");

    /// <summary>A whole number of the query between the bounds.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static int QueryInt32(this HttpRequest request, string name, int byDefault, int min, int max) =>
        (int)request.QueryInt64(name, byDefault, min, max).GetValueOrDefault();

    /// <summary>A whole number of the query between the bounds.</summary>
    /// <exception cref="ApiException"><see cref="ApiErrorCode.InvalidArgument"/>.</exception>
    public static long? QueryInt64(this HttpRequest request, string name, long? byDefault, long min, long max)
    {
        var text = request.Query[name].ToString();
        if (text.Length == 0)
        {
            return byDefault;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"'{name}' must be a whole number from {min} to {max}.");
    }

    /// <summary>Whether the request has <paramref name="secret"/> as its bearer token.</summary>
    public static bool HasBearer(this HttpRequest request, string? secret) =>
        secret is not null && new BearerSecret(secret).Is(BearerSecret.DigestOf(request.Headers.Authorization));
}
