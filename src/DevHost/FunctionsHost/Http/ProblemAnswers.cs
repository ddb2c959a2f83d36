using Baton.Core.Api;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>
/// Errors that the host itself answers. They carry Baton's problem+json, so that one client reads them all; the real host answers the same statuses
/// with an empty body.
/// </summary>
internal static class ProblemAnswers
{
    public static Task WriteAsync(HttpContext context, ApiErrorCode code, string detail)
    {
        var error = new ApiError(code, detail);
        context.Response.StatusCode = code.Status();
        return context.Response.WriteAsJsonAsync(Problem.From(error), BatonJson.Options, Problem.MediaType, context.RequestAborted);
    }
}
