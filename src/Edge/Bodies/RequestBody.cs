using System.Buffers;
using System.Numerics;
using Baton.Core.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Baton.Edge.Bodies;

/// <summary>A request's bytes, in a buffer that counts against the process' budget. The buffer is used again when the request has been answered.</summary>
/// <remarks>The budget counts buffers, not bodies: what is counted is what is in memory, up to twice a body's length.</remarks>
public sealed class RequestBody : IDisposable
{
    /// <summary>The smallest buffer.</summary>
    public const int MinBufferBytes = 4 * 1024;

    /// <summary>The first buffer of a body that does not say its length.</summary>
    private const int FirstBufferBytes = 64 * 1024;

    private readonly BodyBudget _budget;
    private byte[] _buffer = [];
    private int _takenBytes;

    private RequestBody(BodyBudget budget) => _budget = budget;

    /// <summary>Reads the whole body. The bytes last until the request has been answered.</summary>
    /// <param name="request">The request.</param>
    /// <param name="urgent">A short body does not wait for room: see <see cref="BodyLimits.OrderBytes"/>.</param>
    /// <exception cref="ApiException">413 above <see cref="BodyLimits.BodyBytes"/>; 429 where the budget has no room, and then nothing was read.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpRequest request, bool urgent = false)
    {
        ArgumentNullException.ThrowIfNull(request);
        var ct = request.HttpContext.RequestAborted;
        if (request.ContentLength > BodyLimits.BodyBytes)
        {
            throw await TooLargeAsync(request.Body, ct);
        }

        if (request.ContentLength == 0)
        {
            return ReadOnlyMemory<byte>.Empty;
        }

        var body = new RequestBody(request.HttpContext.RequestServices.GetRequiredService<BodyBudget>());
        await body.TakeAsync(request, urgent, ct);
        request.HttpContext.Response.RegisterForDispose(body);
        return await body.FillAsync(request, ct);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        UseBuffer([]);
        _budget.GiveBack(_takenBytes);
        _takenBytes = 0;
    }

    /// <summary>Bytes of the buffer for a body of <paramref name="length"/> bytes; as the pool makes them.</summary>
    public static int BufferBytes(int length) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(length, MinBufferBytes));

    // Who does not say how much it is needs room for the most: to wait for more in the midst of a body, while others do the same, could last for all of them.
    private async ValueTask TakeAsync(HttpRequest request, bool urgent, CancellationToken ct)
    {
        var bytes = request.ContentLength is { } length ? BufferBytes((int)length) : BodyLimits.BodyBytes;
        if (urgent && bytes <= BodyLimits.OrderBytes && request.ContentLength is not null)
        {
            _budget.TakeAnyway(bytes);
        }
        else
        {
            await _budget.TakeAsync(bytes, ct);
        }

        _takenBytes = bytes;
    }

    private async Task<ReadOnlyMemory<byte>> FillAsync(HttpRequest request, CancellationToken ct)
    {
        // One byte more than was announced is never asked for: the server ends a body at its Content-Length.
        var most = (int?)request.ContentLength ?? BodyLimits.BodyBytes;
        UseBuffer(ArrayPool<byte>.Shared.Rent(request.ContentLength is null ? FirstBufferBytes : _takenBytes));
        var length = 0;
        while (length < most)
        {
            if (length == _buffer.Length)
            {
                var larger = ArrayPool<byte>.Shared.Rent(Math.Min(_takenBytes, _buffer.Length * 2));
                _buffer.AsSpan().CopyTo(larger);
                UseBuffer(larger);
            }

            var read = await request.Body.ReadAsync(_buffer.AsMemory(length, Math.Min(_buffer.Length, most) - length), ct);
            if (read == 0)
            {
                break;
            }

            length += read;
        }

        if (length == most && request.ContentLength is null && await request.Body.ReadAsync(new byte[1], ct) > 0)
        {
            throw await TooLargeAsync(request.Body, ct);
        }

        GiveBackUnused();
        return _buffer.AsMemory(0, length);
    }

    private void GiveBackUnused()
    {
        var unused = _takenBytes - _buffer.Length;
        if (unused > 0)
        {
            _takenBytes -= unused;
            _budget.GiveBack(unused);
        }
    }

    private void UseBuffer(byte[] buffer)
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = buffer;
    }

    // A body that is too large is read to its end all the same, and not kept: a client that is still sending when the connection closes sees a reset
    // instead of the answer that tells it why. The server's own limit bounds this.
    private static async Task<ApiException> TooLargeAsync(Stream body, CancellationToken ct)
    {
        var chunk = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            while (await body.ReadAsync(chunk, ct) > 0)
            {
                // Thrown away.
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        return new ApiException(ApiErrorCode.PayloadTooLarge, $"the body is over {BodyLimits.BodyBytes} bytes");
    }
}
