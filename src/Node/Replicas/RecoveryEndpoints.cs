using System.Globalization;
using Baton.Core.Api;
using Baton.Node.Access;
using Baton.Node.Answers;
using Baton.Node.Channels;
using Baton.Node.Leadership;

namespace Baton.Node.Replicas;

/// <summary>Steps of the control plane's recovery sessions. Each may come twice; one of a stale session changes nothing.</summary>
internal static class RecoveryEndpoints
{
    public static void MapRecovery(this IEndpointRouteBuilder routes)
    {
        Map<ReplicaConnectRequest>(routes, "connect", Check, async (f, r, ct) => await f.ConnectAsync(r, ct));
        Map<ReplicaSessionRequest>(routes, "handshake", r => CheckSession(r.SessionId), async (f, r, ct) => await f.HandshakeAsync(r.SessionId, ct));
        Map<ReplicaPositionRequest>(routes, "position", Check, async (f, r, ct) => await f.PositionAsync(r.SessionId, r.Lsn, ct));
        Map<ReplicaCatchUpRequest>(routes, "catch-up", Check, async (f, r, ct) => await f.CatchUpAsync(r, ct));
        Map<ReplicaTruncateRequest>(routes, "truncate", Check, async (f, r, ct) => await f.TruncateAsync(r.SessionId, r.Lsn, ct));
        Map<ReplicaRebuildRequest>(routes, "rebuild", Check, async (f, r, ct) => await f.RebuildAsync(r, ct));
        Map<ReplicaSessionRequest>(routes, "release", r => CheckSession(r.SessionId), async (f, r, ct) =>
        {
            await f.ReleaseAsync(r.SessionId, ct);
            return f.Status();
        });
        routes.MapGet("/channels/{channel}/history", HistoryAsync).Takes(Caller.Control);
    }

    // A look at a leader's log: the other half of a handshake.
    private static async Task<IResult> HistoryAsync(string channel, HttpContext context, ChannelTable channels, Drain drain)
    {
        ChannelNames.CheckAny(channel);
        var query = context.Request.Query;
        var lsn = query["lsn"].ToString();
        var at = 0L;
        Require(lsn.Length == 0 || (long.TryParse(lsn, NumberStyles.None, CultureInfo.InvariantCulture, out at) && at >= 1), "lsn must be a whole number from 1 on");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
        return Results.Json(await channels.Led(channel).HistoryAsync(lsn.Length == 0 ? null : at, query["verifySnapshot"] == "true", either.Token), BatonJson.Options);
    }

    private static void Map<T>(IEndpointRouteBuilder routes, string step, Action<T> check, Func<Follower, T, CancellationToken, Task<object>> run)
        where T : class =>
        routes.MapPost($"/replicas/{{channel}}/{step}", async (string channel, HttpContext context, ReplicaTable replicas, Drain drain) =>
        {
            ChannelNames.CheckAny(channel);
            var request = await JsonBody.ReadAsync<T>(context.Request);
            check(request);
            var follower = replicas.Find(channel) ?? throw Follower.NotFollowed(channel);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Over);
            try
            {
                return Results.Json(await run(follower, request, either.Token), BatonJson.Options);
            }
            catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
            {
                throw new ApiException(ApiErrorCode.Unavailable, "this node is stopping") { RetryAfterSeconds = 1 };
            }
        }).Takes(Caller.Control);

    private static void Check(ReplicaConnectRequest request)
    {
        CheckSession(request.SessionId);
        Require(request.Epoch >= 1, $"epoch is {request.Epoch}: terms start at 1");
        Require(
            request.LeaderEndpoint is null or { IsAbsoluteUri: true, Scheme: "http" or "https" },
            "leaderEndpoint must be an absolute http(s) address");
    }

    private static void Check(ReplicaPositionRequest request)
    {
        CheckSession(request.SessionId);
        Require(request.Lsn >= 1, $"lsn is {request.Lsn}: LSNs start at 1");
    }

    private static void Check(ReplicaCatchUpRequest request)
    {
        CheckSession(request.SessionId);
        CheckPull(request.TargetLsn, request.WaitMs);
    }

    private static void Check(ReplicaTruncateRequest request)
    {
        CheckSession(request.SessionId);
        Require(request.Lsn >= 0, $"lsn is {request.Lsn}: it is 0 or above");
    }

    private static void Check(ReplicaRebuildRequest request)
    {
        CheckSession(request.SessionId);
        CheckPull(request.TargetLsn, request.WaitMs);
        Require(
            request.Source is ReplicaRebuildRequest.SnapshotTail or ReplicaRebuildRequest.FullBase,
            $"source must be {ReplicaRebuildRequest.SnapshotTail} or {ReplicaRebuildRequest.FullBase}");
    }

    private static void CheckSession(long sessionId) => Require(sessionId >= 1, $"sessionId is {sessionId}: it is 1 or above");

    private static void CheckPull(long targetLsn, int waitMs)
    {
        Require(targetLsn >= 0, $"targetLsn is {targetLsn}: it is 0 or above");
        Require(waitMs is >= 0 and <= RequestLimits.WaitMs, $"waitMs is {waitMs}: give 0 to {RequestLimits.WaitMs}");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ApiException(ApiErrorCode.InvalidArgument, otherwise);
        }
    }
}
