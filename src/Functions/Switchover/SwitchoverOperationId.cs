using System.Security.Cryptography;
using System.Text;

namespace Baton.Functions.Switchover;

/// <summary>Ids of these operations: the same wish has the same id, so that a second request joins the first, and one that comes later runs again under it.</summary>
internal static class SwitchoverOperationId
{
    private const int ReadableLength = 24;

    /// <summary><c>move-{channel}-{fingerprint}</c>.</summary>
    public static string OfMove(string channel, string to) => Create("move", channel, $"{channel}\n{to}");

    /// <summary><c>remove-node-{node}-{fingerprint}</c>.</summary>
    public static string OfRemoval(string nodeId) => Create("remove-node", nodeId, nodeId);

    // An id has 63 characters at most, as the names it is made of.
    private static string Create(string kind, string name, string wish) =>
        $"{kind}-{(name.Length <= ReadableLength ? name : name[..ReadableLength])}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(wish)))[..16]}";
}
