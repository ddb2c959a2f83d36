using System.Security.Cryptography;
using System.Text;
using Baton.Core.Recovery;

namespace Baton.Functions.Recovery;

/// <summary>The recovery of one replica.</summary>
/// <param name="OperationId">Its operation.</param>
/// <param name="Replica">The replica.</param>
/// <param name="Taken">What an earlier execution of this instance has come to; null at its beginning.</param>
internal sealed record RecoverySessionInput(string OperationId, ReplicaKey Replica, RecoveryProgress? Taken = null)
{
    /// <summary>The operation of a replica's recoveries, <c>recovery-{channel}-{replica}-{fingerprint}</c>: one replica, one recovery at a time.</summary>
    public static string IdOf(ReplicaKey replica) =>
        $"recovery-{Begin(replica.Channel)}-{Begin(replica.ReplicaId)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{replica.Channel}\n{replica.ReplicaId}")))[..12]}";

    // An id has 63 characters at most, as the names it is made of.
    private static string Begin(string name) => name[..Math.Min(name.Length, 18)];
}
