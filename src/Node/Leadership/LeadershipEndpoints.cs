using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;

namespace Baton.Node.Leadership;

/// <summary>Orders of the control plane to lead a channel or to let go of it.</summary>
internal static class LeadershipEndpoints
{
    public static void MapLeadership(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/channels/open", OpenManyAsync).Takes(Caller.Control);
        routes.MapPost("/channels/{channel}/open", OpenAsync).Takes(Caller.Control);
        routes.MapPost("/channels/{channel}/close", CloseAsync).Takes(Caller.Control);
    }

    private static async Task<IResult> OpenAsync(string channel, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.CheckAny(channel);
        var order = await JsonBody.ReadAsync<OpenChannelRequest>(request);
        CheckTerm(order.Term);

        // Carried through although the caller may hang up: the written state says that this node leads, the call is only a hint.
        var led = await channels.OpenAsync(channel, order.Term);
        return Results.Json(await led.StatusAsync(), BatonJson.Options);
    }

    private static async Task<IResult> OpenManyAsync(HttpRequest request, ChannelTable channels)
    {
        var order = await JsonBody.ReadAsync<OpenChannelsRequest>(request, RequestLimits.ChannelsOpened + 1);
        if (order.Channels is not { } wanted || wanted.Count > RequestLimits.ChannelsOpened || wanted.Any(c => c?.Channel is null))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"channels must be a list of up to {RequestLimits.ChannelsOpened} objects, each with a channel and a term");
        }

        // All before any: an order that is wrong anywhere opens nothing.
        foreach (var (channel, term) in wanted)
        {
            ChannelNames.CheckAny(channel);
            CheckTerm(term);
        }

        return Results.Json(new OpenChannelsResponse(channels.Order(wanted)), BatonJson.Options, statusCode: StatusCodes.Status202Accepted);
    }

    private static async Task<IResult> CloseAsync(string channel, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.CheckAny(channel);
        var order = await JsonBody.ReadAsync<CloseChannelRequest>(request);
        CheckTerm(order.Term);
        await channels.CloseAsync(channel, order.Term);
        return Results.Json(LedChannel.NotLed(channel), BatonJson.Options);
    }

    private static void CheckTerm(long term)
    {
        // No term is above the highest: a channel once open at one from beyond could never be moved again.
        if (!ExactNumbers.IsPosition(term))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"term is {term}: terms start at 1 and stay below 2^53");
        }
    }
}
