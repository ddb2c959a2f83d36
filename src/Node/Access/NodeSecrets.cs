using System.Security.Cryptography;
using System.Text;
using Baton.Node.Settings;
using Microsoft.Extensions.Options;

namespace Baton.Node.Access;

/// <summary>Who a caller may be.</summary>
internal enum Caller
{
    /// <summary>Nobody: anonymous paths only.</summary>
    Anyone,

    /// <summary>A client or the gateway.</summary>
    Client,

    /// <summary>The control plane, or CDC.</summary>
    Control,
}

/// <summary>Tells by the Authorization header who calls. Compares digests of equal length in constant time, so that the answer's time says nothing about a secret.</summary>
internal sealed class NodeSecrets
{
    private const string Scheme = "Bearer ";

    private readonly byte[] _control;
    private readonly byte[] _client;

    public NodeSecrets(IOptions<ClusterSettings> cluster)
    {
        _control = Digest(cluster.Value.Secret);
        _client = Digest(cluster.Value.ClientSecret);
    }

    /// <summary>The most that <paramref name="authorization"/> proves.</summary>
    public Caller Identify(string? authorization)
    {
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return Caller.Anyone;
        }

        var given = Digest(authorization[Scheme.Length..].Trim());
        var isControl = CryptographicOperations.FixedTimeEquals(given, _control);
        var isClient = CryptographicOperations.FixedTimeEquals(given, _client);
        return isControl ? Caller.Control : isClient ? Caller.Client : Caller.Anyone;
    }

    private static byte[] Digest(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
