using Baton.Core.Api;

namespace Baton.Functions.Hosting;

/// <summary>Answers an error of the API as <c>application/problem+json</c>.</summary>
/// <param name="error">The error.</param>
/// <param name="retryAfterSeconds">For the Retry-After header; errors that say "later" have one in any case.</param>
/// <param name="leader">With <see cref="ApiErrorCode.NotLeader"/>: where to go.</param>
internal sealed class ProblemResult(ApiError error, int? retryAfterSeconds = null, LeaderHint? leader = null) : IResult
{
    private const int DefaultRetryAfterSeconds = 1;

    /// <summary>The answer to a caller whose request ended in <paramref name="exception"/>. Says nothing of the inside.</summary>
    public static ProblemResult From(Exception exception) => exception switch
    {
        ApiException api => new ProblemResult(api.Error, api.RetryAfterSeconds, api.Leader),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
            new ProblemResult(new ApiError(ApiErrorCode.PayloadTooLarge, $"The body is above the limit of {FunctionsApp.MaxBodyBytes} bytes.")),
        BadHttpRequestException => new ProblemResult(ApiError.InvalidArgument("The request could not be read to its end.")),
        _ => new ProblemResult(new ApiError(ApiErrorCode.Internal, "Baton failed to answer this request. Its log says why.")),
    };

    /// <summary>Whether <paramref name="exception"/> is an answer to the caller's doing, and no fault of Baton's own.</summary>
    public static bool IsCallers(Exception exception) => exception is ApiException { Error.Code: not ApiErrorCode.Internal } or BadHttpRequestException;

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var response = httpContext.Response;
        response.StatusCode = error.Code.Status();
        if (retryAfterSeconds is not null || error.Code is ApiErrorCode.Overloaded or ApiErrorCode.Unavailable)
        {
            response.Headers.RetryAfter = (retryAfterSeconds ?? DefaultRetryAfterSeconds).ToString();
        }

        return response.WriteAsJsonAsync(Problem.From(error, leader), BatonJson.Options, Problem.MediaType, httpContext.RequestAborted);
    }
}
