using System.Globalization;
using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Metadata;
using Baton.Node.Replicas;

namespace Baton.Node.Messages;

/// <summary>Writing to a channel and reading it.</summary>
internal static class MessageEndpoints
{
    public static void MapMessages(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/channels/{channel}/messages", AppendAsync).Takes(Caller.Client);
        routes.MapGet("/channels/{channel}/messages", ReadAsync).Takes(Caller.Client);
    }

    private static async Task<IResult> AppendAsync(string channel, HttpRequest request, ChannelTable channels, PartitionForwarder partitions, Drain drain)
    {
        ChannelNames.Check(channel);
        if (channels.Find(channel) is null ? partitions.Takes(request, channel) : partitions.MaySendOn(request, channel))
        {
            var body = await RequestBody.ReadAsync(request);
            return await drain.AnswerAsync(request.HttpContext, ct => partitions.AppendAsync(channel, ForwardedRequest.Of(request, body), own => AppendHereAsync(Stamped(AppendBody.Parse(request, body), own)), ct));
        }

        return await AppendHereAsync(await AppendBody.ReadAsync(request));

        async Task<IResult> AppendHereAsync(AppendRequest write) => Results.Json(await channels.Led(channel).AppendAsync(write), BatonJson.Options);
    }

    private static AppendRequest Stamped(AppendRequest append, string? own) => append.Producer is null && own is not null ? append with { Producer = ProducerHeader.Parse(own) } : append;

    private static async Task<IResult> ReadAsync(string channel, HttpContext context, ChannelTable channels, ReplicaTable replicas, WaitingReaders readers, Drain drain)
    {
        ChannelNames.Check(channel);
        var query = context.Request.Query;
        var from = Number(query, "from", 1, 0, long.MaxValue);
        var max = (int)Number(query, "max", 100, 1, RequestLimits.Messages);
        var wait = TimeSpan.FromMilliseconds(Number(query, "waitMs", 0, 0, RequestLimits.WaitMs));
        var isolation = query["isolation"].ToString() switch
        {
            "" or "committed" => Isolation.Committed,
            "all" => Isolation.All,
            _ => throw new ApiException(ApiErrorCode.InvalidArgument, "isolation must be committed or all"),
        };

        var own = LocalReads.Asked(query) && channels.Find(channel) is null ? replicas.Find(channel) : null;
        using var place = wait > TimeSpan.Zero ? readers.Enter() : null;

        var showTokens = context.CallerOf() == Caller.Control;
        return await drain.AnswerAsync(context, async ct =>
        {
            var answer = own is null
                ? await channels.Led(channel).ReadAsync(Math.Max(from, 1), max, wait, isolation, showTokens, ct)
                : await own.ReadAsync(Math.Max(from, 1), max, wait, isolation, showTokens, ct);
            return Results.Json(answer, BatonJson.Options);
        });
    }

    private static long Number(IQueryCollection query, string name, long otherwise, long least, long most)
    {
        var text = query[name].ToString();
        if (text.Length == 0)
        {
            return otherwise;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new ApiException(ApiErrorCode.InvalidArgument, $"{name} must be a whole number from {least} to {most}");
    }
}
