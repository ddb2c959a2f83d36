using System.Buffers.Text;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Baton.Bench.Metadata;

/// <summary>
/// One kept connection to a node and one request on it at a time, as little work as HTTP allows: clients, nodes and storage share the machine, and what a client takes is missing in the figures of the others. It trusts the
/// node to answer as Baton does.
/// </summary>
internal sealed class LeanClient(Uri node, string secret) : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[64 * 1024];

    /// <summary>A request's bytes, its body at the end.</summary>
    public byte[] Request(string method, string path, ReadOnlySpan<byte> body) =>
    [
        .. Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{method} {path} HTTP/1.1\r\nHost: {node.Authority}\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n")),
        .. body,
    ];

    /// <summary>Sends a request and waits for its answer.</summary>
    /// <returns>The answer's body, until the next request.</returns>
    /// <exception cref="InvalidDataException">It is no success.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> SendAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        if (!_socket.Connected)
        {
            await _socket.ConnectAsync(node.Host, node.Port, cancellationToken);
        }

        for (var sent = 0; sent < request.Length;)
        {
            sent += await _socket.SendAsync(request[sent..], cancellationToken);
        }

        for (var length = 0; ;)
        {
            if (length == _buffer.Length)
            {
                Array.Resize(ref _buffer, _buffer.Length * 2);
            }

            var received = await _socket.ReceiveAsync(_buffer.AsMemory(length), cancellationToken);
            if (received == 0)
            {
                throw new InvalidDataException($"{node} ended the connection within an answer");
            }

            length += received;
            if (Body(length) is { } body)
            {
                return _buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200"u8) ? body : throw new InvalidDataException($"{node} answered {Encoding.UTF8.GetString(_buffer, 0, length)}");
            }
        }
    }

    /// <summary>The number that follows a member's name in a body.</summary>
    public static long Number(ReadOnlySpan<byte> body, ReadOnlySpan<byte> member)
    {
        var at = body.IndexOf(member);
        return at >= 0 && Utf8Parser.TryParse(body[(at + member.Length)..], out long value, out _) ? value : throw new InvalidDataException($"no {Encoding.UTF8.GetString(member)} in {Encoding.UTF8.GetString(body)}");
    }

    public void Dispose() => _socket.Dispose();

    // Null where there is more to come.
    private ReadOnlyMemory<byte>? Body(int length)
    {
        var all = _buffer.AsSpan(0, length);
        var head = all.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return null;
        }

        var headers = all[..(head + 2)];
        var at = head + 4;
        var declared = headers.IndexOf("Content-Length: "u8);
        if (declared >= 0)
        {
            var size = (int)Number(headers, "Content-Length: "u8);
            return length < at + size ? null : _buffer.AsMemory(at, size);
        }

        return Unchunk(at, length);
    }

    // The chunks of a body are moved together in place, once the last is there.
    private ReadOnlyMemory<byte>? Unchunk(int start, int length)
    {
        if (!_buffer.AsSpan(0, length).EndsWith("\r\n0\r\n\r\n"u8))
        {
            return null;
        }

        var (from, to) = (start, start);
        while (true)
        {
            if (!Utf8Parser.TryParse(_buffer.AsSpan(from, length - from), out int size, out var digits, 'X'))
            {
                throw new InvalidDataException($"{node} answered chunks that are none");
            }

            if (size == 0)
            {
                return _buffer.AsMemory(start, to - start);
            }

            _buffer.AsSpan(from + digits + 2, size).CopyTo(_buffer.AsSpan(to));
            (from, to) = (from + digits + 2 + size + 2, to + size);
        }
    }
}
