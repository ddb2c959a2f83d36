using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;

namespace Baton.Node.Broadcasts;

/// <summary>The control plane's own records: broadcasts, and changes of the replicate configuration among them.</summary>
internal static class ControlEndpoints
{
    public static void MapControl(this IEndpointRouteBuilder routes) => routes.MapPost("/channels/{channel}/control", ControlAsync).Takes(Caller.Control);

    private static async Task<IResult> ControlAsync(string channel, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.Check(channel);
        var control = await JsonBody.ReadAsync<ControlRequest>(request);
        return Results.Json(await channels.Led(channel).ControlAsync(control), BatonJson.Options);
    }
}
