using System.Globalization;
using Baton.Core.Api;
using Baton.Functions.Failover;
using Baton.Functions.Nodes;

namespace Baton.Functions.Switchover;

/// <summary>Whether a node that is to lead is there. Not the state's business: it would move a channel to a silent node, to move it away again as soon as the silence counts.</summary>
internal sealed class SwitchoverTarget(HeartbeatStore heartbeats, FailoverOptions options, TimeProvider time)
{
    /// <summary>Why <paramref name="nodeId"/> cannot be given a channel; null where it can.</summary>
    public async Task<ApiError?> CheckAsync(string nodeId, CancellationToken cancellationToken)
    {
        var lastHeard = await heartbeats.ReadAllAsync(cancellationToken);
        var silence = time.GetUtcNow() - lastHeard.GetValueOrDefault(nodeId);
        return silence < options.HeartbeatTimeout
            ? null
            : ApiError.Conflict(lastHeard.ContainsKey(nodeId)
                ? string.Create(CultureInfo.InvariantCulture, $"Node '{nodeId}' has sent no heartbeat for {(long)silence.TotalMilliseconds} ms: name another.")
                : $"Node '{nodeId}' has sent no heartbeat: name another.");
    }
}
