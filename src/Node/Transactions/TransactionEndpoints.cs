using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;
using Baton.Node.Messages;

namespace Baton.Node.Transactions;

/// <summary>Messages that appear together or not at all.</summary>
internal static class TransactionEndpoints
{
    public static void MapTransactions(this IEndpointRouteBuilder routes)
    {
        var transactions = routes.MapGroup("/channels/{channel}/transactions").Takes(Caller.Client);
        transactions.MapPost("", BeginAsync);
        transactions.MapPost("/{id:long}/messages", AppendAsync);
        transactions.MapPost("/{id:long}/commit", (string channel, long id, ChannelTable channels) => EndAsync(channel, id, commit: true, channels));
        transactions.MapPost("/{id:long}/rollback", (string channel, long id, ChannelTable channels) => EndAsync(channel, id, commit: false, channels));
    }

    private static async Task<IResult> BeginAsync(string channel, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.Check(channel);
        var begin = await JsonBody.ReadAsync<BeginTransactionRequest>(request);
        var begun = await channels.Led(channel).BeginAsync(begin);
        return Results.Json(begun, BatonJson.Options, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<IResult> AppendAsync(string channel, long id, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.Check(channel);
        var write = await AppendBody.ReadAsync(request);
        return Results.Json(await channels.Led(channel).AppendToTransactionAsync(id, write), BatonJson.Options);
    }

    private static async Task<IResult> EndAsync(string channel, long id, bool commit, ChannelTable channels)
    {
        ChannelNames.Check(channel);
        var led = channels.Led(channel);
        return Results.Json(commit ? await led.CommitAsync(id) : await led.RollbackAsync(id), BatonJson.Options);
    }
}
