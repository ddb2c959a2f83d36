using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Baton.Bench.Metadata;

/// <summary>
/// A port on loopback before one node, which others are told as its address: whatever goes through it arrives later by the same time in both directions, as over a long link. Bytes are held back, not their rate:
/// those behind them are read meanwhile.
/// </summary>
internal sealed class LinkDelay : IAsyncDisposable
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Chunks under way on a direction of a connection: 20 ms of more than a GB/s. Beyond, the sender waits.</summary>
    private const int MaxChunks = 512;

    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<int, Task> _links = new();
    private readonly TaskCompletionSource _hasTarget = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;
    private long _delayTicks;
    private volatile Uri? _target;

    public LinkDelay()
    {
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    /// <summary>What others are told.</summary>
    public Uri Address { get; }

    /// <summary>Sets where the node listens. Connections that come before it is known for the first time wait for that.</summary>
    public void Aim(Uri target)
    {
        _target = target;
        _hasTarget.TrySetResult();
    }

    /// <summary>Sets how much later each direction's bytes arrive, from now on.</summary>
    public void Delay(TimeSpan oneWay) => Volatile.Write(ref _delayTicks, (long)(oneWay.TotalSeconds * Stopwatch.Frequency));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_links.Values);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        for (var number = 0; ; number++)
        {
            Socket caller;
            try
            {
                caller = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            var id = number;
            _links[id] = Task.Run(async () =>
            {
                await LinkAsync(caller);
                _links.TryRemove(id, out _);
            });
        }
    }

    private async Task LinkAsync(Socket caller)
    {
        using (caller)
        using (var node = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token))
        {
            try
            {
                await _hasTarget.Task.WaitAsync(ended.Token);
                (caller.NoDelay, node.NoDelay) = (true, true);
                await node.ConnectAsync(IPAddress.Loopback, _target!.Port, ended.Token);
                await Task.WhenAll(PumpAsync(caller, node, ended), PumpAsync(node, caller, ended));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The node is down, or one side went away without a word: the other sees a connection that is cut.
                caller.LingerState = new LingerOption(true, 0);
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, CancellationTokenSource ended)
    {
        var chunks = Channel.CreateBounded<Chunk>(new BoundedChannelOptions(MaxChunks) { SingleReader = true, SingleWriter = true });
        try
        {
            await Task.WhenAll(ReadAsync(from, chunks.Writer, ended), WriteAsync(to, chunks.Reader, ended));
        }
        finally
        {
            while (chunks.Reader.TryRead(out var left))
            {
                ArrayPool<byte>.Shared.Return(left.Bytes);
            }
        }
    }

    private async Task ReadAsync(Socket from, ChannelWriter<Chunk> chunks, CancellationTokenSource ended)
    {
        try
        {
            while (true)
            {
                var bytes = ArrayPool<byte>.Shared.Rent(ChunkBytes);
                var count = await from.ReceiveAsync(bytes.AsMemory(0, ChunkBytes), ended.Token);
                if (count == 0)
                {
                    ArrayPool<byte>.Shared.Return(bytes);
                    return;
                }

                await chunks.WriteAsync(new Chunk(Stopwatch.GetTimestamp() + Volatile.Read(ref _delayTicks), bytes, count), ended.Token);
            }
        }
        catch
        {
            await ended.CancelAsync();
            throw;
        }
        finally
        {
            chunks.Complete();
        }
    }

    private static async Task WriteAsync(Socket to, ChannelReader<Chunk> chunks, CancellationTokenSource ended)
    {
        try
        {
            await foreach (var chunk in chunks.ReadAllAsync(ended.Token))
            {
                if (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), chunk.Due) is { Ticks: > 0 } left)
                {
                    await Task.Delay(left, ended.Token);
                }

                for (var sent = 0; sent < chunk.Count;)
                {
                    sent += await to.SendAsync(chunk.Bytes.AsMemory(sent, chunk.Count - sent), ended.Token);
                }

                ArrayPool<byte>.Shared.Return(chunk.Bytes);
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            await ended.CancelAsync();
            throw;
        }
    }

    private readonly record struct Chunk(long Due, byte[] Bytes, int Count);
}
