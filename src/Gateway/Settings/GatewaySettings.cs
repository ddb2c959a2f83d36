namespace Baton.Gateway.Settings;

/// <summary>Section <c>Gateway</c>: where it listens, and how long a request is held through a failover.</summary>
internal sealed class GatewaySettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Gateway";

    /// <summary>What its reports against nodes call it; an id of the API.</summary>
    public string Id { get; set; } = "gateway";

    /// <summary>Address to listen on. Loopback by default: a gateway that others must reach says so.</summary>
    public string ListenAddress { get; set; } = "127.0.0.1";

    /// <summary>Port to listen on; 0 takes a free one.</summary>
    public int ListenPort { get; set; } = 7200;

    /// <summary>
    /// Milliseconds that a request may wait for a leader that can be reached. Longer than <c>Failover:HeartbeatTimeoutMs</c> and a second, or a host that goes silent costs errors; shorter tells clients sooner.
    /// </summary>
    public int HoldMs { get; set; } = 5_000;
}
