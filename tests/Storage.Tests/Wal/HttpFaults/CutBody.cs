using System.Net;

namespace Baton.Storage.Tests.Wal.HttpFaults;

/// <summary>The first half of an answer's body, and then a broken connection.</summary>
internal sealed class CutBody(byte[] whole) : Stream
{
    private int _at;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _at;
        set => throw new NotSupportedException();
    }

    /// <summary>The answer with its body cut. Its headers still promise all of it.</summary>
    public static async Task<HttpResponseMessage> OfAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var cut = new StreamContent(new CutBody(await answer.Content.ReadAsByteArrayAsync(cancellationToken)));
        return With(answer, cut);
    }

    /// <summary>The answer with half of its body, as if that were all.</summary>
    public static async Task<HttpResponseMessage> ShortenAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.StatusCode is HttpStatusCode.PartialContent or HttpStatusCode.OK)
        {
            var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
            return With(answer, new ByteArrayContent(bytes, 0, bytes.Length / 2), "Content-Length", "Content-MD5");
        }

        return answer;
    }

    private static HttpResponseMessage With(HttpResponseMessage answer, HttpContent body, params string[] withoutHeaders)
    {
        foreach (var (name, values) in answer.Content.Headers.Where(h => !withoutHeaders.Contains(h.Key)))
        {
            body.Headers.TryAddWithoutValidation(name, values);
        }

        answer.Content = body;
        return answer;
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var left = (whole.Length / 2) - _at;
        if (left <= 0)
        {
            throw new IOException("The connection was cut within the body (by the test).");
        }

        var read = Math.Min(left, count);
        Array.Copy(whole, _at, buffer, offset, read);
        _at += read;
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
