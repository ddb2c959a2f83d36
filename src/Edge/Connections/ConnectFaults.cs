using System.Net.Sockets;

namespace Baton.Edge.Connections;

/// <summary>
/// Makes every failure to connect an <see cref="HttpRequestException"/>. The runtime lets a bare <see cref="SocketException"/> through where a peer dies in the moment in which the connection is made, and who handles errors of
/// HTTP does not expect one. Nothing was sent then, so it is <see cref="HttpRequestError.ConnectionError"/>.
/// </summary>
/// <param name="inner">What connects; disposed of with this.</param>
public sealed class ConnectFaults(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (SocketException e)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, e.Message, e);
        }
    }
}
