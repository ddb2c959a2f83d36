using Baton.Core.Api;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Operations;

/// <summary><c>GET /api/operations/{id}</c>.</summary>
internal sealed class OperationRead(OperationStore operations)
{
    /// <summary>Answers how an operation stands.</summary>
    [Function("OperationRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "operations/{id}")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var id = request.RouteId("id");
        var operation = await operations.ReadAsync(id, cancellationToken)
            ?? throw new ApiException(ApiErrorCode.NotFound, $"There is no operation '{id}'.");
        return Results.Json(operation, BatonJson.Options);
    }
}
