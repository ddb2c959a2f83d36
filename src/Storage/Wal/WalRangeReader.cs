using System.Buffers;

namespace Baton.Storage.Wal;

/// <summary>A blob's bytes from one offset to where a look finds its end, fetched in ranges. One caller at a time.</summary>
/// <remarks>
/// Ranges grow fourfold from 64 KiB to a bound: a look at a tail costs little memory, a way through a whole segment few calls. Who needs a second full range in a row is on
/// such a way: from then on the next range is fetched while this one is in use, one ahead and never more. A range that comes short is the end, whatever is appended
/// behind it: whoever went on after a blob that grows as fast as it is read would never be through.
/// </remarks>
/// <param name="blobs">Where the blob is.</param>
/// <param name="blob">Its name.</param>
/// <param name="offset">The first byte to read.</param>
/// <param name="maxRangeBytes">Bytes of the largest range; twice as many are held at most.</param>
/// <param name="endOffset">Where the blob ends for ever, if that is known: nothing is asked for behind it.</param>
internal sealed class WalRangeReader(IAppendBlobs blobs, string blob, long offset, int maxRangeBytes = WalOptions.DefaultReadRangeBytes, long endOffset = long.MaxValue) : IAsyncDisposable
{
    private const int FirstRangeBytes = 64 * 1024;
    private const int Growth = 4;
    private readonly CancellationTokenSource _stop = new();
    private int _rangeBytes = Math.Min(FirstRangeBytes, maxRangeBytes);
    private int _fullInARow;
    private long _next = offset;
    private long _end = endOffset;
    private byte[]? _buffer;
    private ReadOnlyMemory<byte> _left;
    private Fetch? _ahead;

    /// <summary>Asks for the first range before it is needed. A failure shows when it is.</summary>
    public void BeginAhead() => _ahead = Begin(_stop.Token);

    /// <summary>Fills <paramref name="target"/> as far as the blob goes; returns how many bytes there were. After a failure it cannot be used any more, only disposed of.</summary>
    /// <exception cref="WalStorageUncertainException">A range did not come; one that was fetched ahead says so here, where it is needed.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < target.Length)
        {
            if (_left.IsEmpty && !await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                break;
            }

            var taken = Math.Min(_left.Length, target.Length - filled);
            _left[..taken].CopyTo(target[filled..]);
            _left = _left[taken..];
            filled += taken;
        }

        return filled;
    }

    /// <summary>Gives the memory back; a range that is still on its way is called off and waited for, since it is being written into that memory.</summary>
    public async ValueTask DisposeAsync()
    {
        Release();
        if (_ahead is { } ahead)
        {
            _ahead = null;
            await _stop.CancelAsync().ConfigureAwait(false);

            // Nobody needs these bytes any more, so nobody needs to know why they did not come.
            await ((Task)ahead.Read).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ahead.Read.IsCompletedSuccessfully)
            {
                ArrayPool<byte>.Shared.Return(ahead.Buffer);
            }
        }

        _stop.Dispose();
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        Release();
        var fetch = _ahead ?? Begin(cancellationToken);
        if (_ahead is not null)
        {
            await ((Task)fetch.Read).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
            _ahead = null;
        }

        // The buffer of a call that fails goes to the collector: its last bytes may still be on their way into it.
        var read = await fetch.Read.ConfigureAwait(false);
        if (read == 0)
        {
            ArrayPool<byte>.Shared.Return(fetch.Buffer);
        }
        else
        {
            (_buffer, _left) = (fetch.Buffer, fetch.Buffer.AsMemory(0, read));
        }

        _next += read;
        if (read < fetch.AskedBytes)
        {
            _end = _next;
        }

        Pace();
        return read > 0;
    }

    private void Pace()
    {
        if (_next >= _end)
        {
            return;
        }

        _fullInARow++;
        _rangeBytes = (int)Math.Min((long)Growth * _rangeBytes, maxRangeBytes);
        if (_fullInARow > 1)
        {
            _ahead = Begin(_stop.Token);
        }
    }

    private Fetch Begin(CancellationToken cancellationToken)
    {
        var asked = (int)Math.Clamp(_end - _next, 0, _rangeBytes);
        var buffer = ArrayPool<byte>.Shared.Rent(asked);
        return new Fetch(buffer, asked, asked == 0 ? Task.FromResult(0) : blobs.ReadAsync(blob, _next, buffer.AsMemory(0, asked), cancellationToken));
    }

    private void Release()
    {
        if (_buffer is { } buffer)
        {
            (_buffer, _left) = (null, default);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private sealed record Fetch(byte[] Buffer, int AskedBytes, Task<int> Read);
}
