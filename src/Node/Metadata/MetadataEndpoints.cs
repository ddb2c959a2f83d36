using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Edge.Bodies;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Baton.Node.Messages;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>The catalogue over HTTP: any node answers any of it.</summary>
internal static class MetadataEndpoints
{
    /// <summary>JSON objects of a body: a thousand commands, with groups' members in some of them.</summary>
    private const int MaxObjects = 10_000;

    public static void MapMetadata(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/metadata/commands", WriteAsync).Takes(Caller.Client);
        routes.MapGet("/metadata/status", Status).Takes(Caller.Client);
        Lists(routes, "topics", (s, page, a) => MetadataViews.Topics(s, page.After, page.Max) is var rows ? a with { Topics = rows.Rows, Next = rows.Next } : a, (s, id, a) => MetadataViews.Topic(s, id) is { } topic ? a with { Topic = topic } : null);
        Lists(routes, "nodes", (s, page, a) => MetadataViews.Nodes(s, page.After, page.Max) is var rows ? a with { Nodes = rows.Rows, Next = rows.Next } : a, (s, id, a) => MetadataViews.Node(s, id) is { } node ? a with { Node = node } : null);
        Lists(routes, "groups", (s, page, a) => MetadataViews.Groups(s, page.After, page.Max) is var rows ? a with { Groups = rows.Rows, Next = rows.Next } : a, (s, id, a) => MetadataViews.Group(s, id) is { } group ? a with { Group = group } : null);
    }

    private static void Lists(
        IEndpointRouteBuilder routes, string what, Func<MetadataState, PageAsked, MetadataAnswer, MetadataAnswer> list, Func<MetadataState, string, MetadataAnswer, MetadataAnswer?> one)
    {
        routes.MapGet($"/metadata/{what}", (HttpContext context, MetadataReader reader, Drain drain) =>
        {
            var page = PageAsked.Of(context.Request.Query);
            return drain.AnswerAsync(context, ct => reader.ReadAsync(context.Request, (state, answer) => list(state, page, answer), ct));
        }).Takes(Caller.Client);
        routes.MapGet($"/metadata/{what}/{{id}}", (string id, HttpContext context, MetadataReader reader, Drain drain) =>
            drain.AnswerAsync(context, ct => reader.ReadAsync(
                context.Request, (state, answer) => one(state, id, answer) ?? throw new ApiException(ApiErrorCode.NotFound, $"there is no {what[..^1]} {Printable(id)}"), ct))).Takes(Caller.Client);
    }

    // What a caller names comes back to it in a detail: no longer than any name may be.
    private static string Printable(string id) => id.Length <= Names.MaxLength ? id : id[..Names.MaxLength] + "…";

    private static async Task<IResult> WriteAsync(HttpContext context, MetadataForwarder forwarder, MetadataWriter writer, Drain drain)
    {
        var stamp = ProducerHeader.Read(context.Request);
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "this path takes a body of content type application/json");
        }

        var body = await RequestBody.ReadAsync(context.Request);
        var request = JsonBody.Parse<MetadataCommandsRequest>(body.Span, MaxObjects);
        if (request.Commands is not { Count: >= 1 and <= MetadataLimits.MaxCommandsPerRequest } commands || commands.Any(c => c is null))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"commands must be a list of 1 to {MetadataLimits.MaxCommandsPerRequest} commands, each an object with its type");
        }

        if (context.CallerOf() != Caller.Control && commands.FirstOrDefault(c => c.IsInternal) is { } inner)
        {
            throw new ApiException(ApiErrorCode.Unauthorized, $"{inner.GetType().Name} follows from the cluster's state and is for the cluster itself: it takes the cluster's control secret as a bearer token");
        }

        return await drain.AnswerAsync(context, ct => forwarder.AnswerAsync(
            ForwardedRequest.Of(context.Request, body), async (led, own) => Results.Json(await writer.WriteAsync(led, commands, own is null ? stamp : ProducerHeader.Parse(own), ct), BatonJson.Options), ct));
    }

    private static IResult Status(HttpContext context, MetadataCopy copy, MetadataLeader leader, MetadataFollower follower, ChannelTable channels, IOptions<NodeSettings> node)
    {
        var state = copy.State;
        var led = channels.Find(MetadataChannel.Name);
        var hash = context.Request.Query["hash"].ToString() switch
        {
            "" or "false" => null,
            "true" => copy.HashOf(state),
            _ => throw new ApiException(ApiErrorCode.InvalidArgument, "hash must be true or false"),
        };
        return Results.Json(
            new MetadataStatus(
                node.Value.Id,
                led is null ? "follower" : "leader",
                state.LastLsn,
                led?.Term ?? leader.Known?.Term ?? 0,
                led is null ? (long?)copy.Age?.TotalMilliseconds : 0,
                hash,
                leader.Known,
                led is null ? follower.Problem : null)
            {
                RecoveredMs = (long?)follower.RecoveredIn?.TotalMilliseconds,
                RecoveredLsn = follower.RecoveredLsn,
            },
            BatonJson.Options);
    }

    /// <summary>A page of a list, as asked for.</summary>
    private sealed record PageAsked(string? After, int Max)
    {
        public static PageAsked Of(IQueryCollection query)
        {
            var max = query["max"].ToString();
            var rows = MetadataLimits.MaxPage;
            if (max.Length > 0 && (!int.TryParse(max, NumberStyles.None, CultureInfo.InvariantCulture, out rows) || rows is < 1 or > MetadataLimits.MaxPage))
            {
                throw new ApiException(ApiErrorCode.InvalidArgument, $"max must be a whole number from 1 to {MetadataLimits.MaxPage}");
            }

            return new PageAsked(query["after"].ToString() is { Length: > 0 } after ? after : null, rows);
        }
    }
}
