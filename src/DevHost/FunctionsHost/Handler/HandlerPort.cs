using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Baton.DevHost.FunctionsHost.Handler;

/// <summary>Finds a port for the handler, which is told where to listen and cannot say where it does.</summary>
internal static class HandlerPort
{
    // Below the range that systems hand out for port 0 and for outgoing connections, so that nothing takes the port between this probe and the handler's start.
    private const int First = 20_000;
    private const int End = 32_000;
    private const int Attempts = 200;

    public static int Free()
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var port = RandomNumberGenerator.GetInt32(First, End);
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }

        throw new InvalidOperationException($"No free port between {First} and {End} after {Attempts} attempts.");
    }
}
