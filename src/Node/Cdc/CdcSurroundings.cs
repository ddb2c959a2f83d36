using Baton.Edge.Retries;
using Baton.Node.Leadership;
using Baton.Node.Status;
using Microsoft.Extensions.Options;

namespace Baton.Node.Cdc;

/// <summary>What the senders of all channels of a node share.</summary>
/// <param name="Http">Connections to other clusters.</param>
/// <param name="ControlPlane">Takes what they learn.</param>
/// <param name="Options">Their settings.</param>
/// <param name="Metrics">The numbers.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">The log of all of them.</param>
internal sealed record CdcSurroundings(TargetHttp Http, ControlPlaneClient ControlPlane, IOptions<CdcSettings> Options, NodeMetrics Metrics, TimeProvider Time, ILogger<CdcRunner> Log)
{
    /// <summary>Their settings.</summary>
    public CdcSettings Settings => Options.Value;

    /// <summary>The pauses between tries of one thing.</summary>
    public Backoff Pauses() => new(TimeSpan.FromMilliseconds(Settings.RetryDelayMs), TimeSpan.FromMilliseconds(Settings.RetryMaxDelayMs));
}
