using Baton.Core.Cluster;

namespace Baton.DevHost.Clusters;

/// <summary>How to run one cluster on this machine.</summary>
public sealed record LocalClusterOptions
{
    /// <summary>Its id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Connection string of its storage account.</summary>
    public required string StorageConnectionString { get; init; }

    /// <summary>Its secrets.</summary>
    public required ClusterSecrets Secrets { get; init; }

    /// <summary>Folder for the logs of its processes.</summary>
    public required string LogFolder { get; init; }

    /// <summary>Folder in which each node has one of its own for the channels that it follows.</summary>
    public required string ReplicaFolder { get; init; }

    /// <summary>Port of the control plane; 0 = a free one.</summary>
    public int ControlPlanePort { get; init; }

    /// <summary>Port of the first node, the others follow; 0 = free ones.</summary>
    public int FirstNodePort { get; init; }

    /// <summary>Whether a gateway runs with it.</summary>
    public bool Gateway { get; init; } = true;

    /// <summary>Port of the gateway; 0 = a free one.</summary>
    public int GatewayPort { get; init; }

    /// <summary>Number of nodes.</summary>
    public int Nodes { get; init; } = 2;

    /// <summary>How many of them are started with the cluster; null = all. The others join when they are started.</summary>
    public int? NodesAtFirst { get; init; }

    /// <summary>Number of channels, named <c>{cluster}-ch0</c> and on.</summary>
    public int Channels { get; init; } = 2;

    /// <summary>On how many nodes each of the channels is to be, the leader's counted.</summary>
    public int ReplicationFactor { get; init; } = 1;

    /// <summary>Which of a channel's nodes leads it. Spread, unlike the function app's own default: with few channels there would else be nodes that lead none, and nothing to see of them.</summary>
    public LeaderPolicy LeaderPolicy { get; init; } = LeaderPolicy.Spread;

    /// <summary>Further settings of the function app, <c>Section__Name</c>.</summary>
    public IReadOnlyDictionary<string, string> AppSettings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Further settings of the nodes.</summary>
    public IReadOnlyDictionary<string, string> NodeSettings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Further settings of one node, by its index, asked for at every start of it; over those of all.</summary>
    public Func<int, IReadOnlyDictionary<string, string>>? NodeSettingsOf { get; init; }

    /// <summary>Hears where a node listens, each time that it was started.</summary>
    public Action<int, Uri>? NodeStarted { get; init; }

    /// <summary>Further settings of the gateway.</summary>
    public IReadOnlyDictionary<string, string> GatewaySettings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How long each process may take to be ready.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
