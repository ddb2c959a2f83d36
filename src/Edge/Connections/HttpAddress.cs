namespace Baton.Edge.Connections;

/// <summary>Addresses of other programs, as settings, routes and configurations give them.</summary>
public static class HttpAddress
{
    /// <summary>Absolute, and http or https.</summary>
    public static bool IsHttp(this Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return address.IsAbsoluteUri && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps);
    }

    /// <summary>The same with a slash behind its path, so that paths under it do not take the place of its last part.</summary>
    public static Uri AsFolder(this Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return address.AbsolutePath.EndsWith('/') ? address : new Uri(address.AbsoluteUri + "/");
    }
}
