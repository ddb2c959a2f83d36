using Baton.Edge.Access;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Access;

/// <summary>Who a caller may be. Who may do what is no matter of their order: <see cref="AccessCheck.MayPassFor"/>.</summary>
internal enum Caller
{
    /// <summary>Nobody: anonymous paths only.</summary>
    Anyone,

    /// <summary>A client or the gateway.</summary>
    Client,

    /// <summary>Another cluster, which replicates to this one.</summary>
    Replication,

    /// <summary>This cluster's control plane, or another node of it.</summary>
    Control,
}

/// <summary>Tells by the Authorization header who calls.</summary>
internal sealed class NodeSecrets(IOptions<ClusterSettings> cluster)
{
    private readonly BearerSecret _control = new(cluster.Value.Secret);
    private readonly BearerSecret _client = new(cluster.Value.ClientSecret);
    private readonly BearerSecret? _replication = cluster.Value.ReplicationSecret is { Length: > 0 } replication ? new(replication) : null;

    /// <summary>Whom <paramref name="authorization"/> proves the caller to be. No two secrets are the same; all are looked at, so that the time does not say which it was.</summary>
    public Caller Identify(string? authorization)
    {
        var given = BearerSecret.DigestOf(authorization);
        var isControl = _control.Is(given);
        var isClient = _client.Is(given);
        var isReplication = _replication?.Is(given) == true;
        return isControl ? Caller.Control : isClient ? Caller.Client : isReplication ? Caller.Replication : Caller.Anyone;
    }
}
