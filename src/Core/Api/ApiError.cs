using Baton.Core.Replication;

namespace Baton.Core.Api;

/// <summary>The error codes of the HTTP API. Each has one status: see <see cref="ApiErrorCodeExtensions.Status"/>.</summary>
public enum ApiErrorCode
{
    /// <summary>400: the request itself is wrong; sending it again unchanged cannot succeed.</summary>
    InvalidArgument,

    /// <summary>401: no key or secret, or a wrong one.</summary>
    Unauthorized,

    /// <summary>403: switched off by a setting.</summary>
    FeatureDisabled,

    /// <summary>404: no such thing.</summary>
    NotFound,

    /// <summary>409: stale term or version, lock held, transaction over.</summary>
    Conflict,

    /// <summary>409: a direct write to a secondary, a replicated write to a primary, or one from the wrong source.</summary>
    ReplicateViolation,

    /// <summary>413: a body or message above its limit.</summary>
    PayloadTooLarge,

    /// <summary>416: a read below the retained history.</summary>
    RangeNotSatisfiable,

    /// <summary>421: this node does not lead the channel.</summary>
    NotLeader,

    /// <summary>429: a queue is full; try again after the given time.</summary>
    Overloaded,

    /// <summary>500: a fault of Baton's own. The detail says nothing of its inside.</summary>
    Internal,

    /// <summary>503: something that is needed cannot be reached; try again after the given time.</summary>
    Unavailable,
}

/// <summary>HTTP statuses of <see cref="ApiErrorCode"/>.</summary>
public static class ApiErrorCodeExtensions
{
    /// <summary>The HTTP status that carries <paramref name="code"/>.</summary>
    public static int Status(this ApiErrorCode code) => code switch
    {
        ApiErrorCode.InvalidArgument => 400,
        ApiErrorCode.Unauthorized => 401,
        ApiErrorCode.FeatureDisabled => 403,
        ApiErrorCode.NotFound => 404,
        ApiErrorCode.Conflict or ApiErrorCode.ReplicateViolation => 409,
        ApiErrorCode.PayloadTooLarge => 413,
        ApiErrorCode.RangeNotSatisfiable => 416,
        ApiErrorCode.NotLeader => 421,
        ApiErrorCode.Overloaded => 429,
        ApiErrorCode.Unavailable => 503,
        _ => 500,
    };
}

/// <summary>An error of the HTTP API as a value: what pure rules answer when they refuse.</summary>
/// <param name="Code">The code, which fixes the status.</param>
/// <param name="Detail">What is wrong and what to do about it, for the caller to read. Holds no secret and no storage detail.</param>
public sealed record ApiError(ApiErrorCode Code, string Detail)
{
    /// <summary>With <see cref="ApiErrorCode.ReplicateViolation"/> to a former source: where the channel left it by force.</summary>
    public ReplicateDeparture? Departure { get; init; }

    /// <summary>A 400 with <paramref name="detail"/>.</summary>
    public static ApiError InvalidArgument(string detail) => new(ApiErrorCode.InvalidArgument, detail);

    /// <summary>A 409 with <paramref name="detail"/>.</summary>
    public static ApiError Conflict(string detail) => new(ApiErrorCode.Conflict, detail);

    /// <summary>A 409 replicate violation with <paramref name="detail"/>.</summary>
    public static ApiError ReplicateViolation(string detail) => new(ApiErrorCode.ReplicateViolation, detail);

    /// <summary>This error as an exception.</summary>
    public ApiException ToException() => new(this);
}

/// <summary>An <see cref="ApiError"/> on its way to the edge, which answers it as problem+json.</summary>
public sealed class ApiException : Exception
{
    /// <summary>Carries <paramref name="error"/>.</summary>
    public ApiException(ApiError error)
        : base(error.Detail) => Error = error;

    /// <summary>Carries an error of <paramref name="code"/>.</summary>
    public ApiException(ApiErrorCode code, string detail)
        : this(new ApiError(code, detail))
    {
    }

    /// <summary>The error.</summary>
    public ApiError Error { get; }

    /// <summary>Seconds for the Retry-After header, where the code is retryable.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The leader to go to, with <see cref="ApiErrorCode.NotLeader"/>, where this node knows it.</summary>
    public LeaderHint? Leader { get; init; }

    /// <summary>The first LSN that can be read, with <see cref="ApiErrorCode.RangeNotSatisfiable"/>.</summary>
    public long? FirstAvailable { get; init; }

    /// <summary>With <see cref="ApiErrorCode.ReplicateViolation"/> to a former source: where the channel left it by force.</summary>
    public ReplicateDeparture? Departure => Error.Departure;
}

/// <summary>Who leads a channel, as far as the answering node knows.</summary>
public sealed record LeaderHint(string NodeId, Uri Endpoint, long Term);

/// <summary>The body of every error answer (RFC 9457, <c>application/problem+json</c>).</summary>
/// <param name="Type">A URN naming the code.</param>
/// <param name="Title">The code in words.</param>
/// <param name="Status">The HTTP status again.</param>
/// <param name="Detail">What is wrong and what to do.</param>
/// <param name="Code">The code's name.</param>
/// <param name="Leader">With <c>NotLeader</c>: where to go.</param>
/// <param name="FirstAvailable">With <c>RangeNotSatisfiable</c>: the first LSN that can be read.</param>
/// <param name="Departure">With <c>ReplicateViolation</c> to a former source: where the channel left it by force.</param>
public sealed record Problem(
    string Type, string Title, int Status, string Detail, string Code, LeaderHint? Leader = null, long? FirstAvailable = null, ReplicateDeparture? Departure = null)
{
    /// <summary>The media type of a problem body.</summary>
    public const string MediaType = "application/problem+json";

    /// <summary>The body that says <paramref name="error"/>.</summary>
    public static Problem From(ApiError error, LeaderHint? leader = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new Problem($"urn:baton:error:{error.Code}", Titles.GetValueOrDefault(error.Code, "Error"), error.Code.Status(), error.Detail, error.Code.ToString(), leader);
    }

    private static readonly Dictionary<ApiErrorCode, string> Titles = new()
    {
        [ApiErrorCode.InvalidArgument] = "Invalid argument",
        [ApiErrorCode.Unauthorized] = "Unauthorized",
        [ApiErrorCode.FeatureDisabled] = "Feature disabled",
        [ApiErrorCode.NotFound] = "Not found",
        [ApiErrorCode.Conflict] = "Conflict",
        [ApiErrorCode.ReplicateViolation] = "Replicate violation",
        [ApiErrorCode.PayloadTooLarge] = "Payload too large",
        [ApiErrorCode.RangeNotSatisfiable] = "Range not satisfiable",
        [ApiErrorCode.NotLeader] = "Not the leader",
        [ApiErrorCode.Overloaded] = "Overloaded",
        [ApiErrorCode.Unavailable] = "Unavailable",
        [ApiErrorCode.Internal] = "Internal error",
    };
}
