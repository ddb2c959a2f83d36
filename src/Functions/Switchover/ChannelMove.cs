using Baton.Core.Api;
using Baton.Durable;
using Baton.Functions.Hosting;
using Baton.Functions.Operations;
using Baton.Functions.Requests;
using Baton.Functions.Topology;
using Rules = Baton.Core.Cluster.Switchover;

namespace Baton.Functions.Switchover;

/// <summary>
/// <c>POST /api/channels/{name}/move</c>: a planned switchover. What can be seen to be wrong is refused at once, and nothing is written then; the rest is the operation's
/// (<see cref="ChannelMoveOrchestration"/>). A channel that is there already is an operation that changes nothing.
/// </summary>
internal sealed class ChannelMove(ClusterStateStore states, SwitchoverTarget target, OperationStarter starter)
{
    private const int MaxBodyBytes = 16 * 1024;

    /// <summary>Starts the move, or joins the same one.</summary>
    [Function("ChannelMove")]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "channels/{name}/move")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var name = request.RouteChannel("name");
        var body = await RequestBody.ReadAsync<MoveChannelRequest>(request, MaxBodyBytes, cancellationToken);
        if (!Names.IsValidId(body.To))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "'to' must name a node of the cluster.");
        }

        var planned = Rules.Move((await states.ReadAsync(cancellationToken)).State, name, body.To!);
        if ((planned.Error ?? (planned.Changed ? await target.CheckAsync(body.To!, cancellationToken) : null)) is { } refused)
        {
            throw refused.ToException();
        }

        // From here on the caller's disconnect changes nothing.
        var id = SwitchoverOperationId.OfMove(name, body.To!);
        var head = await starter.RequestAsync(client, id, ChannelMoveOrchestration.Name, new MoveInput(id, name, body.To!), OperationStarter.Always, CancellationToken.None);
        return Accepted.Of(request, head);
    }
}
