using System.Security.Cryptography;
using System.Text;
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

/// <summary>Tells by the Authorization header who calls. Compares digests of equal length in constant time, so that the answer's time says nothing about a secret.</summary>
internal sealed class NodeSecrets
{
    private const string Scheme = "Bearer ";

    private readonly byte[] _control;
    private readonly byte[] _client;
    private readonly byte[]? _replication;

    public NodeSecrets(IOptions<ClusterSettings> cluster)
    {
        _control = Digest(cluster.Value.Secret);
        _client = Digest(cluster.Value.ClientSecret);
        _replication = cluster.Value.ReplicationSecret is { Length: > 0 } replication ? Digest(replication) : null;
    }

    /// <summary>Whom <paramref name="authorization"/> proves the caller to be. No two secrets are the same.</summary>
    public Caller Identify(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return Caller.Anyone;
        }

        var given = Digest(authorization[Scheme.Length..].Trim());
        var isControl = CryptographicOperations.FixedTimeEquals(given, _control);
        var isClient = CryptographicOperations.FixedTimeEquals(given, _client);
        var isReplication = _replication is not null && CryptographicOperations.FixedTimeEquals(given, _replication);
        return isControl ? Caller.Control : isClient ? Caller.Client : isReplication ? Caller.Replication : Caller.Anyone;
    }

    private static byte[] Digest(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
