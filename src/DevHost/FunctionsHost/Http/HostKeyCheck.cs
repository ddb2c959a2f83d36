using System.Security.Cryptography;
using System.Text;
using Baton.DevHost.FunctionsHost.Apps;

namespace Baton.DevHost.FunctionsHost.Http;

/// <summary>Whether a request carries the key that a function asks for: header <c>x-functions-key</c>, or else the query <c>code</c>.</summary>
internal sealed class HostKeyCheck(HostKeys keys)
{
    public const string Header = "x-functions-key";

    public bool Allows(HttpRequest request, KeyLevel level) => level switch
    {
        KeyLevel.Anonymous => true,
        KeyLevel.Function => Carries(request, keys.Function) || Carries(request, keys.Master),
        KeyLevel.System => Carries(request, keys.System) || Carries(request, keys.Master),
        _ => Carries(request, keys.Master),
    };

    private static bool Carries(HttpRequest request, string key)
    {
        var given = request.Headers.TryGetValue(Header, out var header) ? header.ToString() : request.Query["code"].ToString();

        // Hashes have one length, so that the comparison takes one time whatever was given. An empty key opens nothing.
        return key.Length > 0 && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(given)), SHA256.HashData(Encoding.UTF8.GetBytes(key)));
    }
}
