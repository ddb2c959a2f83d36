using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using Baton.Core.Api;
using Baton.Core.Cluster;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;
using Baton.Node.Leadership;
using Microsoft.Extensions.Options;

namespace Baton.Node.Replicas.Feed;

/// <summary>The leader's side of replication: the stream that a replica subscribes to, and the replica's reports.</summary>
internal static class FeedEndpoints
{
    public static void MapFeed(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/channels/{channel}/feed", FeedAsync).Takes(Caller.Control);
        routes.MapPost("/channels/{channel}/replicas/{nodeId}", ProgressAsync).Takes(Caller.Control);
    }

    private static async Task FeedAsync(string channel, HttpContext context, ChannelTable channels, IOptions<FollowSettings> settings, Drain drain, TimeProvider time)
    {
        ChannelNames.CheckAny(channel);
        var query = context.Request.Query;
        var term = long.TryParse(query["term"], NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given > 0
            ? given
            : throw new ApiException(ApiErrorCode.InvalidArgument, "term must be a whole number from 1 on");
        var nodeId = query["replica"].ToString();
        CheckNodeId(nodeId);
        var mode = query["mode"].ToString() switch
        {
            "sync" => ReplicaMode.Sync,
            "async" => ReplicaMode.Async,
            _ => throw new ApiException(ApiErrorCode.InvalidArgument, "mode must be sync or async"),
        };

        var led = channels.Led(channel);
        var (subscriber, start) = led.Subscribe(term, nodeId, mode, settings.Value.FeedQueueBytes);
        using var owned = subscriber;
        try
        {
            // Whoever does not take what is written keeps the request in its write: only an abort gets it out.
            await using var abort = subscriber.TooSlow.Register(context.Abort);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
            context.Response.ContentType = FeedFrame.MediaType;
            await context.Response.BodyWriter.WriteAsync(FeedFrame.Start(start), either.Token);
            await PushAsync(subscriber, context.Response.BodyWriter, TimeSpan.FromMilliseconds(settings.Value.FeedIdleMs), time, either.Token);
        }
        catch (OperationCanceledException) when (drain.Over.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            // The node stops: the stream just ends, which a replica takes as well as a leadership that has ended.
        }
        finally
        {
            led.Unsubscribe(subscriber);
        }
    }

    private static async Task PushAsync(FeedSubscriber subscriber, PipeWriter body, TimeSpan idle, TimeProvider time, CancellationToken ct)
    {
        while (true)
        {
            while (subscriber.Pushes.TryRead(out var push))
            {
                Write(body, push);
                subscriber.Sent(push);
                if (body.UnflushedBytes >= 256 * 1024)
                {
                    await body.FlushAsync(ct);
                }
            }

            await body.FlushAsync(ct);
            var more = subscriber.Pushes.WaitToReadAsync(ct).AsTask();
            while (!more.IsCompleted)
            {
                try
                {
                    await more.WaitAsync(idle, time, CancellationToken.None);
                }
                catch (TimeoutException)
                {
                    FeedFrame.WriteHeader(body.GetSpan(FeedFrame.HeaderSizeBytes), FeedFrameKind.Idle, 0);
                    body.Advance(FeedFrame.HeaderSizeBytes);
                    await body.FlushAsync(ct);
                }
            }

            if (!await more)
            {
                return;
            }
        }
    }

    private static void Write(PipeWriter body, FeedPush push)
    {
        Span<byte> header = stackalloc byte[FeedFrame.HeaderSizeBytes];
        if (push.Batch is { } batch)
        {
            FeedFrame.WriteHeader(header, FeedFrameKind.Batch, batch.Length);
            body.Write(header);
            body.Write(batch);
            return;
        }

        Span<byte> payload = stackalloc byte[FeedFrame.DurableSizeBytes];
        FeedFrame.WriteHeader(header, FeedFrameKind.Durable, payload.Length);
        BinaryPrimitives.WriteInt64LittleEndian(payload, push.DurableLsn);
        body.Write(header);
        body.Write(payload);
    }

    private static async Task<IResult> ProgressAsync(string channel, string nodeId, HttpRequest request, ChannelTable channels)
    {
        ChannelNames.CheckAny(channel);
        CheckNodeId(nodeId);
        var progress = await JsonBody.ReadAsync<ReplicaProgressRequest>(request);
        if (progress.FlushedLsn < 0)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, $"flushedLsn is {progress.FlushedLsn}: it is 0 or above");
        }

        channels.Led(channel).ReplicaAt(progress.Term, nodeId, progress.FlushedLsn);
        return Results.NoContent();
    }

    private static void CheckNodeId(string nodeId)
    {
        if (!Names.IsValidId(nodeId))
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, "a replica is named by its node's id, which matches [a-z0-9][a-z0-9._-]{0,62}");
        }
    }
}
