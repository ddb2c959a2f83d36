using System.Net;
using Baton.Edge.Bodies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Edge.Hosting;

/// <summary>The server of a program that many speak to: where it listens, how many may wait to be let in, and how much of a body is read that nobody wants.</summary>
public static class HttpDoor
{
    /// <summary>
    /// Connections that may wait to be taken. Many come at once when something failed: clients that lost a gateway turn to another, and a gateway sends a node all that it held. One that finds no room tries again only a second
    /// later, when a gateway takes the node for dead.
    /// </summary>
    private const int Backlog = 4_096;

    /// <summary>Gives <paramref name="builder"/> its server.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="where">Where it listens. Asked while the application is built, before settings are checked: what cannot be listened on is left to the check, which names it.</param>
    public static void Add(WebApplicationBuilder builder, Func<(string Address, int Port)> where)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.Backlog = Backlog);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            var (text, port) = where();
            if (IPAddress.TryParse(text, out var address) && port is >= IPEndPoint.MinPort and <= IPEndPoint.MaxPort)
            {
                kestrel.Listen(address, port);
            }

            kestrel.Limits.MaxRequestBodySize = BodyLimits.DiscardedBytes;
            kestrel.AddServerHeader = false;
        });
    }
}
