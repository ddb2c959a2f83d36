using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Baton.Durable.Replay;

/// <summary>
/// Ids that every replay makes again: RFC 4122 version 5, from the instance, the turn's time and a counter, as the
/// platform's .NET worker makes them.
/// </summary>
internal static class ReplayGuid
{
    private static readonly byte[] Namespace = new Guid("9e952958-5e33-4daf-827f-2fa12937b875").ToByteArray(bigEndian: true);

    public static Guid Create(string instanceId, DateTime currentUtcDateTime, int counter)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{instanceId}_{currentUtcDateTime:o}_{counter}");
#pragma warning disable CA5350 // Version 5 is defined on SHA-1; nothing is kept secret by it.
        byte[] hash = SHA1.HashData([.. Namespace, .. Encoding.UTF8.GetBytes(name)]);
#pragma warning restore CA5350
        Span<byte> id = hash.AsSpan(0, 16);
        id[6] = (byte)((id[6] & 0x0F) | 0x50);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new Guid(id, bigEndian: true);
    }
}
