using System.Collections.Concurrent;
using System.Globalization;
using Baton.Core.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Baton.Functions.Tests.Doubles;

/// <content>The node's part in recovery sessions: of its replicas, and of the logs that it leads.</content>
internal sealed partial class NodeDouble
{
    /// <summary>The copies that it has, by channel.</summary>
    public ConcurrentDictionary<string, ReplicaDouble> Replicas { get; } = new(StringComparer.Ordinal);

    private void MapRecovery(SharedLogs logs)
    {
        Map<ReplicaConnectRequest>("connect");
        Map<ReplicaSessionRequest>("handshake");
        Map<ReplicaPositionRequest>("position");
        Map<ReplicaTruncateRequest>("truncate");
        Map<ReplicaCatchUpRequest>("catch-up");
        Map<ReplicaRebuildRequest>("rebuild");
        Map<ReplicaSessionRequest>("release");
        _app.MapGet("/channels/{channel}/history", (HttpContext context, string channel) =>
        {
            long? lsn = context.Request.Query["lsn"] is [{ Length: > 0 } at] ? long.Parse(at, CultureInfo.InvariantCulture) : null;
            return AnswerAsync(context, new NodeCall(NodeId, "history", channel, Order: lsn), () => Open.TryGetValue(channel, out var term) && logs.Records.TryGetValue(channel, out var log)
                ? log.Tell(term, lsn, context.Request.Query["verifySnapshot"] == "true")
                : new ApiError(ApiErrorCode.NotLeader, "not open here"));
        });
    }

    private void Map<T>(string step)
        where T : class => _app.MapPost($"/replicas/{{channel}}/{step}", async (HttpContext context, string channel) =>
        {
            var order = (await context.Request.ReadFromJsonAsync<T>(BatonJson.Options))!;
            await AnswerAsync(context, new NodeCall(NodeId, step, channel, Order: order), () =>
                Replicas.TryGetValue(channel, out var replica) ? replica.Take(step, order) : new ApiError(ApiErrorCode.NotFound, "no such replica here"));
        });
}
