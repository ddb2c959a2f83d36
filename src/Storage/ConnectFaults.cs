using System.Net.Sockets;

namespace Baton.Storage;

/// <summary>
/// Makes every failure to connect an <see cref="HttpRequestException"/>. The runtime lets a bare <see cref="SocketException"/> through where the peer dies in the moment in which the connection is made; the client libraries would
/// not try again, and the log would not know that nothing was sent.
/// </summary>
/// <remarks>Baton.Edge has the same for programs that speak HTTP; this library must not need it.</remarks>
internal sealed class ConnectFaults(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, e.Message, e);
        }
    }
}
