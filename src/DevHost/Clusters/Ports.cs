using System.Net;
using System.Net.Sockets;

namespace Baton.DevHost.Clusters;

/// <summary>A TCP port on loopback that is wanted for something.</summary>
/// <param name="Number">1 to 65535.</param>
/// <param name="Purpose">What will listen there, for the message.</param>
/// <param name="Option">The command-line option that moves it.</param>
public sealed record WantedPort(int Number, string Purpose, string Option)
{
    /// <summary>Says which of the wanted ports are taken before anything is started.</summary>
    /// <exception cref="PortInUseException">At least one is.</exception>
    public static void EnsureFree(IEnumerable<WantedPort> ports)
    {
        ArgumentNullException.ThrowIfNull(ports);
        foreach (var port in ports)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port.Number);
                listener.Start();
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                throw new PortInUseException($"Port {port.Number} ({port.Purpose}) is in use. Stop what listens there, or choose another with {port.Option}.", e);
            }
        }
    }
}

/// <summary>A wanted port is taken; the message names it and the option that moves it.</summary>
public sealed class PortInUseException(string message, Exception inner) : Exception(message, inner);
