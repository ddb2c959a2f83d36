using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Functions.Hosting;
using Baton.Functions.Requests;

namespace Baton.Functions.Broadcasts;

/// <summary><c>GET /api/broadcasts/{id}</c>.</summary>
internal sealed class BroadcastRead(BroadcastStore broadcasts)
{
    /// <summary>Answers one task.</summary>
    [Function("BroadcastRead")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "broadcasts/{id}")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        var id = request.RouteInt64("id");
        var stored = await broadcasts.ReadAsync(id, cancellationToken)
            ?? throw new ApiException(ApiErrorCode.NotFound, $"There is no broadcast {id}.");
        return Results.Json(stored.Task.ToView(), BatonJson.Options);
    }
}

/// <summary><c>GET /api/broadcasts?state=…</c>: tasks in the order of their ids.</summary>
internal sealed class BroadcastList(BroadcastStore broadcasts)
{
    private const int MaxTasks = 1_000;

    /// <summary>Answers the tasks.</summary>
    [Function("BroadcastList")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "broadcasts")] HttpRequest request,
        CancellationToken cancellationToken)
    {
        BroadcastState? state = null;
        if (request.Query["state"].ToString() is { Length: > 0 } text)
        {
            state = Enum.TryParse<BroadcastState>(text, ignoreCase: true, out var parsed) && Enum.IsDefined(parsed) && !char.IsAsciiDigit(text[0])
                ? parsed
                : throw new ApiException(ApiErrorCode.InvalidArgument, "'state' must be pending, replicated, tombstone or done.");
        }

        var tasks = await broadcasts.ListAsync(state, MaxTasks, cancellationToken);
        return Results.Json(tasks.Select(t => t.ToView()), BatonJson.Options);
    }
}
