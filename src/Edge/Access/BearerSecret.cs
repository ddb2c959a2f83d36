using System.Security.Cryptography;
using System.Text;

namespace Baton.Edge.Access;

/// <summary>A shared secret that a caller proves to know in the Authorization header. Compares digests of equal length in constant time, so that the answer's time says nothing about the secret.</summary>
public sealed class BearerSecret
{
    private const string Scheme = "Bearer ";
    private readonly byte[] _digest;

    /// <summary>Keeps the digest of <paramref name="secret"/> alone.</summary>
    public BearerSecret(string secret) => _digest = Digest(secret);

    /// <summary>What an Authorization header carries, as <see cref="Is"/> takes it; null where it carries no bearer token.</summary>
    public static byte[]? DigestOf(string? authorization) =>
        authorization is not null && authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? Digest(authorization[Scheme.Length..].Trim()) : null;

    /// <summary>Whether <paramref name="digest"/> is that of this secret.</summary>
    public bool Is(byte[]? digest) => digest is not null && CryptographicOperations.FixedTimeEquals(digest, _digest);

    private static byte[] Digest(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
