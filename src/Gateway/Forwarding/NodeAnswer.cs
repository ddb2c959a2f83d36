using System.Buffers;
using System.Collections.Frozen;
using System.Net;
using System.Text.Json;
using Baton.Core.Api;

namespace Baton.Gateway.Forwarding;

/// <summary>
/// What a node answered. It is read to its end before any of it is passed on, so that one that breaks off is asked for again and no client sees half of it; but what is larger than <see cref="MaxBuffered"/>, such as a large
/// transaction, or finds no room, is passed on while it comes.
/// </summary>
internal sealed class NodeAnswer : IDisposable
{
    /// <summary>Bytes that are read before anything is passed on. An answer has 4 MiB of payload at most, but for a whole transaction, and base64 makes a third more of it.</summary>
    private const int MaxBuffered = 8 * 1024 * 1024;

    private const int FirstBuffer = 4 * 1024;

    /// <summary>Of one connection, or given anew by this server.</summary>
    private static readonly FrozenSet<string> NotPassed = FrozenSet.ToFrozenSet(
        ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Date", "Server", "Content-Length"], StringComparer.OrdinalIgnoreCase);

    private readonly HttpResponseMessage _response;
    private readonly AnswerMemory _memory;
    private readonly CancellationTokenSource _attempt;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(FirstBuffer);
    private int _length;
    private int _takenBytes;
    private Stream? _rest;

    private NodeAnswer(HttpResponseMessage response, AnswerMemory memory, CancellationTokenSource attempt) => (_response, _memory, _attempt) = (response, memory, attempt);

    public HttpStatusCode Status => _response.StatusCode;

    /// <summary>Reads an answer as far as it is kept. From then on it owns the response and the attempt; before, when this throws, the caller does.</summary>
    public static async Task<NodeAnswer> ReadAsync(HttpResponseMessage response, AnswerMemory memory, CancellationTokenSource attempt)
    {
        var answer = new NodeAnswer(response, memory, attempt);
        try
        {
            await answer.FillAsync(attempt.Token);
            return answer;
        }
        catch
        {
            answer.Release();
            throw;
        }
    }

    /// <summary>The body as an error's; null where it is none.</summary>
    public Problem? Problem()
    {
        try
        {
            return JsonSerializer.Deserialize<Problem>(_buffer.AsSpan(0, _length), BatonJson.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Passes it on to the client.</summary>
    public async Task PassOnAsync(HttpResponse response, CancellationToken ct)
    {
        response.StatusCode = (int)_response.StatusCode;
        CopyHeaders(_response.Headers.NonValidated, response);
        CopyHeaders(_response.Content.Headers.NonValidated, response);
        if (_rest is null)
        {
            response.ContentLength = _length;
            await response.Body.WriteAsync(_buffer.AsMemory(0, _length), ct);
            return;
        }

        response.ContentLength = _response.Content.Headers.ContentLength;
        await response.Body.WriteAsync(_buffer.AsMemory(0, _length), ct);
        try
        {
            await _rest.CopyToAsync(response.Body, ct);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // The client must not take half of it for all of it.
            response.HttpContext.Abort();
        }
    }

    public void Dispose()
    {
        Release();

        // A body that is still being sent, though the answer is here, is of no use any more.
        _attempt.Cancel();
        _response.Dispose();
        _attempt.Dispose();
    }

    private static void CopyHeaders(System.Net.Http.Headers.HttpHeadersNonValidated headers, HttpResponse response)
    {
        foreach (var (name, values) in headers)
        {
            if (!NotPassed.Contains(name))
            {
                response.Headers[name] = values.ToString();
            }
        }
    }

    private async Task FillAsync(CancellationToken ct)
    {
        var stream = await _response.Content.ReadAsStreamAsync(ct);
        while (_length < (_response.Content.Headers.ContentLength ?? long.MaxValue))
        {
            if (_length == _buffer.Length && !TryGrow())
            {
                // It takes what its client takes to take it.
                _attempt.CancelAfter(Timeout.InfiniteTimeSpan);
                _rest = stream;
                return;
            }

            var read = await stream.ReadAsync(_buffer.AsMemory(_length), ct);
            if (read == 0)
            {
                return;
            }

            _length += read;
        }
    }

    private bool TryGrow()
    {
        var more = _buffer.Length;
        if (_buffer.Length + more > MaxBuffered || !_memory.TryTake(more))
        {
            return false;
        }

        _takenBytes += more;
        var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length + more);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
        return true;
    }

    private void Release()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _memory.GiveBack(_takenBytes);
        _takenBytes = 0;
    }
}
