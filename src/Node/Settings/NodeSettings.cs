using System.Net;
using Baton.Core.Api;
using Baton.Edge.Bodies;
using Baton.Edge.Connections;
using Baton.Edge.Hosting;
using Baton.Edge.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Settings;

/// <summary>Section <c>Node</c>: who this node is and where it listens.</summary>
internal sealed class NodeSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Node";

    /// <summary>This node's id in its cluster; an id of the API. Two live processes with one id take each other's channels over and over.</summary>
    public string Id { get; set; } = "";

    /// <summary>The address that others reach this node at; the bound address when absent, which is right on one machine only.</summary>
    public Uri? Endpoint { get; set; }

    /// <summary>Address to listen on. Loopback by default: a node that others must reach says so.</summary>
    public string ListenAddress { get; set; } = "127.0.0.1";

    /// <summary>Port to listen on; 0 takes a free one.</summary>
    public int ListenPort { get; set; } = 7301;

    /// <summary>Milliseconds between heartbeats. Shorter notices a lost <c>open</c> sooner and costs the control plane one call each; it must stay well below <c>Failover:HeartbeatTimeoutMs</c>.</summary>
    public int HeartbeatIntervalMs { get; set; } = 500;

    /// <summary>Milliseconds one call to the control plane may take; below <c>Failover:HeartbeatTimeoutMs</c>, so that one slow answer is not silence. Joining has longer.</summary>
    public int ControlPlaneTimeoutMs { get; set; } = 2_000;

    /// <summary>Milliseconds that the answer to a change of configuration waits for broadcast acks still on their way to the control plane; then it is 503 and the caller asks again.</summary>
    public int AckFlushTimeoutMs { get; set; } = 5_000;

    /// <summary>
    /// Records of a channel after which its state is written as a snapshot (64 MiB of payload do the same; a small state is written sooner). An opening reads at most about that many records: fewer open faster, and
    /// each snapshot costs up to a few MB of storage and some milliseconds in which the channel takes nothing. Parts of the log that nobody needs any more are deleted behind one.
    /// </summary>
    public int SnapshotEveryRecords { get; set; } = 10_000;

    /// <summary>
    /// Bytes that the bodies of all requests under way may take together; what comes beyond waits a second and is then answered 429. A body that does not say its length counts as the
    /// longest, 8 MiB, until it has come. JSON takes about as much again while it is read and appended.
    /// </summary>
    public long MaxRequestBytesInFlight { get; set; } = 256L * 1024 * 1024;

    /// <summary>Reads that may wait at once for a channel to grow (<c>waitMs</c> above 0). Each holds a connection and a few KiB; what comes beyond is answered 429.</summary>
    public int MaxWaitingReaders { get; set; } = 10_000;

    /// <summary>Bytes of the channels' ends that a node keeps in memory for their readers, all channels together and 64 KiB each; 0 keeps none. What is not kept is read from the storage.</summary>
    public long MaxRecentBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>Snapshots that the channels of this node take at the same time. More are done sooner when many are due at once; each is in memory whole while it is written, and takes its share of the storage from the appends.</summary>
    public int MaxSnapshotsAtOnce { get; set; } = 2;

    /// <summary>
    /// Channels that this node opens at the same time, whoever ordered them; the others wait for their turn. More are done sooner when a node takes thousands over, as far as the storage
    /// keeps up; each costs some calls and what its log needs to be read.
    /// </summary>
    public int OpensAtOnce { get; set; } = 32;

    /// <summary>
    /// Milliseconds that a request waits for its channel to be opened here, where it comes by a route of a higher term than this node has seen. Longer suits channels that take long to open; 0: it is answered at once,
    /// and whoever sent it asks again.
    /// </summary>
    public int OpenWaitMs { get; set; } = 1_000;

    /// <summary>
    /// Milliseconds of tries that failed after which this node says that it cannot open a channel that it should lead, so that another does. Shorter moves the channel on sooner when this node alone cannot reach its log;
    /// longer sits out what ails all nodes alike.
    /// </summary>
    public int OpenGiveUpMs { get; set; } = 1_000;

    /// <summary>
    /// Milliseconds that a node which is told to stop serves on until others have taken its channels over. Longer suits channels that take long to open; whoever stops the process must wait
    /// for that long, and for the closing after it, before killing it.
    /// </summary>
    public int DrainTimeoutMs { get; set; } = 10_000;

    /// <summary>
    /// Milliseconds without a successful join or heartbeat after which a node that has lost everything it owned ends with exit code 3, to be started anew. Shorter tries a fresh process sooner;
    /// it must be longer than the control plane may be away for an upgrade, or idle nodes end with each.
    /// </summary>
    public int RejoinTimeoutMs { get; set; } = 60_000;

    /// <summary>
    /// Before it joins, the node opens a log of its own and deletes it again, so that the first channel it takes over does not wait for code to be compiled. It costs a start about a second and some twenty storage calls.
    /// </summary>
    public bool RehearseOpening { get; set; } = true;

    /// <summary>How logs are printed: <c>text</c>, a line each to read; <c>json</c>, an object a line with every named property, for machines.</summary>
    public string LogFormat { get; set; } = LogOutput.Text;

    /// <summary>Failure domain, if any.</summary>
    public string? Zone { get; set; }

    /// <summary>Relative capacity; the control plane's default when absent.</summary>
    public int? Capacity { get; set; }
}

/// <summary>Section <c>Cluster</c>: which cluster this is and what opens its doors.</summary>
internal sealed class ClusterSettings
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Cluster";

    /// <summary>The shortest secret accepted, in characters.</summary>
    public const int MinSecretLength = 16;

    /// <summary>The cluster's id.</summary>
    public string Id { get; set; } = "";

    /// <summary>Shared secret of control calls; opens the client paths too.</summary>
    public string Secret { get; set; } = "";

    /// <summary>Secret of client calls: the gateway's.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>Secret of other clusters that replicate to this one; what the configurations call this cluster's token. Opens nothing but the taking of replicated records. Without one, only the control secret opens that.</summary>
    public string? ReplicationSecret { get; set; }
}

/// <summary>Names the setting, its value (never a secret's) and the fix.</summary>
internal sealed class NodeSettingsCheck : IValidateOptions<NodeSettings>, IValidateOptions<ClusterSettings>
{
    public ValidateOptionsResult Validate(string? name, NodeSettings options)
    {
        var wrong = new SettingProblems();
        if (!Names.IsValidId(options.Id))
        {
            wrong.Add($"Node:Id is \"{options.Id}\": give this node an id that matches [a-z0-9][a-z0-9._-]{{0,62}}.");
        }

        if (options.Endpoint is { } endpoint && !endpoint.IsHttp())
        {
            wrong.Add($"Node:Endpoint is \"{endpoint}\": give the absolute http(s) address that clients reach this node at, or leave it out.");
        }

        var address = wrong.CheckListenAddress("Node:ListenAddress", options.ListenAddress);
        if (address is not null && options.Endpoint is null && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)))
        {
            wrong.Add($"Node:Endpoint is missing while Node:ListenAddress is \"{options.ListenAddress}\", which nobody can call: give the address that clients reach this node at.");
        }

        wrong.CheckRange("Node:ListenPort", options.ListenPort, 0, 65_535);
        wrong.CheckRange("Node:HeartbeatIntervalMs", options.HeartbeatIntervalMs, 10, 60_000);
        wrong.CheckRange("Node:ControlPlaneTimeoutMs", options.ControlPlaneTimeoutMs, 100, 60_000);
        wrong.CheckRange("Node:AckFlushTimeoutMs", options.AckFlushTimeoutMs, 100, 60_000);
        wrong.CheckRange("Node:SnapshotEveryRecords", options.SnapshotEveryRecords, 100, 10_000_000);
        wrong.CheckRange("Node:MaxRequestBytesInFlight", options.MaxRequestBytesInFlight, BodyLimits.BodyBytes, 1L << 40);
        wrong.CheckRange("Node:MaxWaitingReaders", options.MaxWaitingReaders, 1, 1_000_000);
        wrong.CheckRange("Node:MaxRecentBytes", options.MaxRecentBytes, 0, 1L << 40);
        wrong.CheckRange("Node:MaxSnapshotsAtOnce", options.MaxSnapshotsAtOnce, 1, 1_000);
        wrong.CheckRange("Node:OpensAtOnce", options.OpensAtOnce, 1, 1_000);
        wrong.CheckRange("Node:OpenWaitMs", options.OpenWaitMs, 0, 60_000);
        wrong.CheckRange("Node:OpenGiveUpMs", options.OpenGiveUpMs, 10, 600_000);
        wrong.CheckRange("Node:DrainTimeoutMs", options.DrainTimeoutMs, 100, 600_000);
        wrong.CheckRange("Node:RejoinTimeoutMs", options.RejoinTimeoutMs, 1_000, 3_600_000);
        wrong.CheckLogFormat("Node:LogFormat", options.LogFormat);
        if (options.Capacity is { } capacity)
        {
            wrong.CheckRange("Node:Capacity", capacity, 1, 1_000_000);
        }

        return wrong.Result();
    }

    public ValidateOptionsResult Validate(string? name, ClusterSettings options)
    {
        var wrong = new SettingProblems();
        if (!Names.IsValidId(options.Id))
        {
            wrong.Add($"Cluster:Id is \"{options.Id}\": give the id of the cluster that this node belongs to, matching [a-z0-9][a-z0-9._-]{{0,62}}.");
        }

        CheckSecret(wrong, "Cluster:Secret", options.Secret);
        CheckSecret(wrong, "Cluster:ClientSecret", options.ClientSecret);
        if (options.Secret.Length > 0 && string.Equals(options.Secret, options.ClientSecret, StringComparison.Ordinal))
        {
            wrong.Add("Cluster:ClientSecret equals Cluster:Secret: every client could then give control orders; make them two.");
        }

        if (options.ReplicationSecret is { Length: > 0 } replication)
        {
            CheckReplicationSecret(wrong, options, replication);
        }

        return wrong.Result();
    }

    private static void CheckSecret(SettingProblems wrong, string setting, string value)
    {
        if (value.Length < ClusterSettings.MinSecretLength)
        {
            wrong.Add($"{setting} has {value.Length} characters: give a random secret of at least {ClusterSettings.MinSecretLength}.");
        }
    }

    private static void CheckReplicationSecret(SettingProblems wrong, ClusterSettings options, string secret)
    {
        const string Setting = "Cluster:ReplicationSecret";
        CheckSecret(wrong, Setting, secret);
        if (string.Equals(secret, options.Secret, StringComparison.Ordinal))
        {
            wrong.Add($"{Setting} equals Cluster:Secret: every cluster that replicates to this one could then give control orders; make them two.");
        }

        if (string.Equals(secret, options.ClientSecret, StringComparison.Ordinal))
        {
            wrong.Add($"{Setting} equals Cluster:ClientSecret: every client could then send records as another cluster; make them two.");
        }
    }
}
