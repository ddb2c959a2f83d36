using System.Text.Json;
using Baton.Core.Api;
using Baton.Functions.Failover;
using Baton.Functions.Hosting;
using Baton.Functions.Tests.Doubles;

namespace Baton.Functions.Tests.Failover;

/// <summary>Messages and timers as the host delivers them.</summary>
internal static class UrgentQueue
{
    /// <summary>A report of somebody who could not reach a node.</summary>
    public static UrgentFailoverMessage Report(string nodeId) => new("event-1", nodeId, "connection refused", DateTimeOffset.UtcNow);

    /// <summary>One delivery.</summary>
    public static Task<UrgentFailoverOutputs> HandleAsync(this ControlPlane plane, UrgentFailoverMessage message, CancellationToken cancellationToken = default) =>
        plane.HandleAsync(JsonSerializer.SerializeToUtf8Bytes(message, BatonJson.Options), cancellationToken);

    /// <summary>One delivery of any body.</summary>
    public static Task<UrgentFailoverOutputs> HandleAsync(this ControlPlane plane, byte[] body, CancellationToken cancellationToken = default) =>
        plane.RunAsync<UrgentFailover, UrgentFailoverOutputs>(f => f.RunAsync(body, cancellationToken));

    /// <summary>One sweep; what it reports.</summary>
    public static async Task<IReadOnlyList<UrgentFailoverMessage>> SweepBeatsAsync(this ControlPlane plane)
    {
        var outputs = await plane.RunAsync<HeartbeatSweep, HeartbeatSweepOutputs>(f => f.RunAsync(new TimerInfo(false), default));
        return [.. (outputs.Reports ?? []).Select(Json<UrgentFailoverMessage>)];
    }

    /// <summary>The text of a message.</summary>
    public static T Json<T>(string text) => JsonSerializer.Deserialize<T>(text, BatonJson.Options)!;

    /// <summary>Forgets the calls so far.</summary>
    public static void ClearCalls(this ControlPlane plane)
    {
        plane.Storage.Clear();
        foreach (var node in plane.Nodes)
        {
            node.Calls.Clear();
        }
    }
}
