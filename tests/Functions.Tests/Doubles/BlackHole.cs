using System.Net;
using System.Net.Sockets;

namespace Baton.Functions.Tests.Doubles;

/// <summary>Where a node should be and nothing answers.</summary>
internal sealed class BlackHole : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> _sockets = [];
    private int _accepted;

    private BlackHole(int backlog)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(backlog);
    }

    public Uri Endpoint => new($"http://{_listener.LocalEndPoint}");

    /// <summary>Connections that were taken in.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>A host that takes connections and says nothing.</summary>
    public static BlackHole ThatAccepts()
    {
        var hole = new BlackHole(backlog: 128);
        _ = hole.AcceptAsync();
        return hole;
    }

    /// <summary>A host that drops what is sent to it: its queue of connections is full, so no attempt to connect is answered.</summary>
    public static async Task<BlackHole> ThatDropsAsync()
    {
        var hole = new BlackHole(backlog: 0);
        for (var i = 0; i < 16; i++)
        {
            var filler = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            hole._sockets.Add(filler);
            using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
            try
            {
                await filler.ConnectAsync(hole._listener.LocalEndPoint!, patience.Token);
            }
            catch (OperationCanceledException)
            {
                return hole;
            }
        }

        throw new InvalidOperationException("This system goes on taking connections that nobody accepts.");
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_sockets)
        {
            _sockets.ForEach(s => s.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                lock (_sockets)
                {
                    _sockets.Add(socket);
                }

                Interlocked.Increment(ref _accepted);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
