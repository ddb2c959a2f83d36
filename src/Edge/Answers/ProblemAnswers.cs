using System.Globalization;
using Baton.Core.Api;
using Baton.Edge.Bodies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Baton.Edge.Answers;

/// <summary>Every error leaves this process in one shape, and says nothing of its inside.</summary>
public static partial class ProblemAnswers
{
    /// <summary>Middleware; goes first.</summary>
    public static IApplicationBuilder UseProblemAnswers(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var log = app.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(ProblemAnswers));
        return app.Use(async (context, next) =>
        {
            try
            {
                await next(context);
                if (!context.Response.HasStarted && ForStatus(context.Response.StatusCode) is { } error)
                {
                    await WriteAsync(context, new ApiException(error), context.Response.StatusCode);
                }
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                // The caller has gone: nobody is there to answer.
            }
            catch (Exception e) when (!context.Response.HasStarted)
            {
                var answer = e switch
                {
                    ApiException api => api,
                    BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => new ApiException(ApiErrorCode.PayloadTooLarge, $"the body is over {BodyLimits.BodyBytes} bytes"),
                    BadHttpRequestException => new ApiException(ApiErrorCode.InvalidArgument, "the request is not valid HTTP"),
                    _ => null,
                };
                if (answer is null)
                {
                    LogUnexpected(log, e, context.Request.Method, context.Request.Path);
                    answer = new ApiException(ApiErrorCode.Internal, "an unexpected error; the log has the details");
                }

                context.Response.Clear();
                await WriteAsync(context, answer, answer.Error.Code.Status());
            }
        });
    }

    private static ApiError? ForStatus(int status) => status switch
    {
        StatusCodes.Status404NotFound => new ApiError(ApiErrorCode.NotFound, "there is no such path"),
        StatusCodes.Status405MethodNotAllowed => new ApiError(ApiErrorCode.InvalidArgument, "this path does not take this method"),
        _ => null,
    };

    private static Task WriteAsync(HttpContext context, ApiException answer, int status)
    {
        context.Response.StatusCode = status;
        if (answer.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (answer.Error.Code == ApiErrorCode.Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        var problem = Problem.From(answer.Error, answer.Leader) with { Status = status, FirstAvailable = answer.FirstAvailable, Departure = answer.Departure };
        return context.Response.WriteAsJsonAsync(problem, BatonJson.Options, Problem.MediaType, context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Unexpected error in {Method} {Path}")]
    private static partial void LogUnexpected(ILogger log, Exception exception, string method, string path);
}
