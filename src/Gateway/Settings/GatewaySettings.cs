using Baton.Edge.Hosting;

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

    /// <summary>
    /// Milliseconds that one attempt at a node may take, beside what a read asks to wait; then it is given up and made again. Longer than <c>Node:OpenWaitMs</c> and a slow write to the storage, or appends are sent
    /// over and over to a node that is at work on them; shorter leaves a node that hangs sooner.
    /// </summary>
    public int AttemptTimeoutMs { get; set; } = 2_000;

    /// <summary>Milliseconds that a connection to a node may take to be made. A node that is not reached in that time is reported, so it is longer than a busy one takes, and than the second after which TCP tries again when one packet is lost; shorter notices a host that drops packets sooner.</summary>
    public int ConnectTimeoutMs { get; set; } = 1_500;

    /// <summary>
    /// Bytes that the bodies of all requests under way may take together; what comes beyond waits a second and is then answered 429. A body that does not say its length counts as the longest, 8 MiB, until it has come.
    /// </summary>
    public long MaxRequestBytesInFlight { get; set; } = 256L * 1024 * 1024;

    /// <summary>Bytes that the answers under way may take together. An answer that finds no room is passed on while it comes: one that then breaks off breaks off at the client too, where it would have been asked for again.</summary>
    public long MaxAnswerBytesInFlight { get; set; } = 256L * 1024 * 1024;

    /// <summary>Requests that may be held at once. Each has its connection and its body; what comes beyond is answered 429.</summary>
    public int MaxHeldRequests { get; set; } = 10_000;

    /// <summary>
    /// Appends to one channel that may be under way at once: each has a producer id of its own, and the node remembers 10,000 of a channel, those of all gateways and clients. More than fit there may be appended twice; fewer
    /// wait for each other.
    /// </summary>
    public int ProducersPerChannel { get; set; } = 1_000;

    /// <summary>How logs are printed: <c>text</c>, a line each to read; <c>json</c>, an object a line with every named property, for machines.</summary>
    public string LogFormat { get; set; } = LogOutput.Text;
}

/// <summary>Section <c>Cluster</c>: what opens the nodes' doors, and this one.</summary>
internal sealed class ClusterSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Cluster";

    /// <summary>The shortest secret accepted, in characters.</summary>
    public const int MinSecretLength = 16;

    /// <summary>Secret of client calls; the same as on the nodes.</summary>
    public string ClientSecret { get; set; } = "";
}
