using System.Globalization;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Node.Channels;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Metadata;

/// <summary>
/// Reads of the catalogue: the leader's state, asked for where this node is not the leader; this node's own copy with <c>local=true</c>; or either, from the moment on that it has the LSN of <c>minLsn</c>, so that
/// whoever has written reads its own write anywhere.
/// </summary>
internal sealed class MetadataReader(
    MetadataCopy copy, MetadataForwarder forwarder, MetadataLeader leader, MetadataFollower follower, ChannelTable channels, IOptions<NodeSettings> node, IOptions<MetadataSettings> settings)
{
    /// <summary>Answers a read.</summary>
    /// <param name="request">The request.</param>
    /// <param name="look">What is asked for, of a state.</param>
    /// <param name="aborted">Ends its waits.</param>
    /// <exception cref="ApiException">Unavailable: the copy does not have it in time, or no leader answers.</exception>
    public async Task<IResult> ReadAsync(HttpRequest request, Func<MetadataState, MetadataAnswer, MetadataAnswer> look, CancellationToken aborted)
    {
        var isLocal = request.Query["local"].ToString() switch
        {
            "" or "false" => false,
            "true" => true,
            _ => throw new ApiException(ApiErrorCode.InvalidArgument, "local must be true or false"),
        };
        var minLsn = MinLsnOf(request.Query);
        if (isLocal)
        {
            await HaveAsync(minLsn ?? 0, TimeSpan.FromMilliseconds(settings.Value.ForwardTimeoutMs), mustHave: true, aborted);
            return Here(channels.Find(MetadataChannel.Name), look);
        }

        if (minLsn is { } lsn && channels.Find(MetadataChannel.Name) is null && await HaveAsync(lsn, TimeSpan.FromMilliseconds(settings.Value.ReadWaitMs), mustHave: false, aborted))
        {
            return Here(null, look);
        }

        return await forwarder.AnswerAsync(
            ForwardedRequest.Of(request, ReadOnlyMemory<byte>.Empty),
            async (led, _) =>
            {
                await HaveAsync(minLsn ?? 0, TimeSpan.FromMilliseconds(settings.Value.ReadWaitMs), mustHave: true, aborted);
                return Here(led, look);
            },
            aborted);
    }

    private static long? MinLsnOf(IQueryCollection query)
    {
        var text = query["minLsn"].ToString();
        return text.Length == 0 ? null
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var lsn) ? lsn
            : throw new ApiException(ApiErrorCode.InvalidArgument, "minLsn must be a whole number, 0 or above: the lastLsn of an answer");
    }

    private async Task<bool> HaveAsync(long lsn, TimeSpan wait, bool mustHave, CancellationToken aborted)
    {
        var has = await copy.WaitAsync(s => s.LastLsn >= lsn, wait, aborted);
        if (!has && mustHave)
        {
            var why = follower.Problem is { } problem ? $": {problem}" : "";
            throw new ApiException(ApiErrorCode.Unavailable, $"the catalogue of node {node.Value.Id} is at LSN {copy.State.LastLsn} and not at {lsn} yet{why}") { RetryAfterSeconds = 1 };
        }

        return has;
    }

    private IResult Here(LedChannel? led, Func<MetadataState, MetadataAnswer, MetadataAnswer> look)
    {
        if (led is null && follower.Problem is { } problem)
        {
            throw new ApiException(ApiErrorCode.Unavailable, $"the catalogue of node {node.Value.Id} stands still at LSN {copy.State.LastLsn}: {problem}") { RetryAfterSeconds = 1 };
        }

        var state = copy.State;
        var age = led is null ? (long?)copy.Age?.TotalMilliseconds : 0;
        return Results.Json(look(state, new MetadataAnswer(state.LastLsn, led?.Term ?? leader.Known?.Term ?? 0, node.Value.Id, led is not null, age)), BatonJson.Options);
    }
}
