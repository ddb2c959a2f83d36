namespace Baton.Storage.Wal;

/// <summary>A blob's bytes from one offset on, fetched in ranges.</summary>
internal sealed class WalRangeReader(IAppendBlobs blobs, string blob, long offset)
{
    private const int RangeBytes = 128 * 1024;
    private readonly byte[] _range = new byte[RangeBytes];
    private long _next = offset;
    private ReadOnlyMemory<byte> _left;

    /// <summary>Fills <paramref name="target"/> as far as the blob goes now; returns how many bytes there were.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken)
    {
        var filled = 0;
        while (filled < target.Length)
        {
            if (_left.IsEmpty)
            {
                var read = await blobs.ReadAsync(blob, _next, _range, cancellationToken).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                _next += read;
                _left = _range.AsMemory(0, read);
            }

            var taken = Math.Min(_left.Length, target.Length - filled);
            _left[..taken].CopyTo(target[filled..]);
            _left = _left[taken..];
            filled += taken;
        }

        return filled;
    }
}
