using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;

namespace Baton.Node.Replication;

/// <summary>Records that CDC brings from the source cluster, in its order and its names.</summary>
internal static class ReplicateEndpoints
{
    public static void MapReplicate(this IEndpointRouteBuilder routes) => routes.MapPost("/channels/{channel}/replicate", ReplicateAsync).Takes(Caller.Replication);

    private static async Task<IResult> ReplicateAsync(string channel, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.Check(channel);
        var records = await JsonBody.ReadAsync<ReplicateRequest>(request);
        return Results.Json(await channels.Led(channel).ReplicateAsync(records), BatonJson.Options);
    }
}
