using System.Buffers;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Replicas;

/// <summary>Goes through a file batch by batch, checking each. Holds a buffer of 256 KiB, or of one batch that is larger.</summary>
internal sealed class ReplicaScan : IDisposable
{
    private const int BufferBytes = 256 * 1024;
    private readonly IReplicaFile _file;
    private readonly long _endOffset;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
    private int _start;
    private int _end;
    private int _size;

    /// <summary>A way through <paramref name="file"/> from <paramref name="start"/> to <paramref name="endOffset"/>; offset 0 is before the header.</summary>
    public ReplicaScan(IReplicaFile file, WalSegmentPlace start, long endOffset) => (_file, Place, _endOffset) = (file, start, endOffset);

    /// <summary>Where the present batch ends, and the next one begins.</summary>
    public WalSegmentPlace Place { get; private set; }

    /// <summary>Where the present batch begins.</summary>
    public WalSegmentPlace BatchPlace { get; private set; }

    /// <summary>What the present batch holds.</summary>
    public WalBatchExtent Extent { get; private set; }

    /// <summary>The present batch's bytes, until the next one is asked for.</summary>
    public ReadOnlySpan<byte> Batch => _buffer.AsSpan(_start, _size);

    /// <summary>Passes the header, which must be that of <paramref name="segment"/>.</summary>
    /// <exception cref="WalFormatException">It is not.</exception>
    public void ReadHeader(string channel, ReplicaSegment segment)
    {
        Fill(WalSegmentHeader.PrefixSizeBytes);
        var size = WalSegmentHeader.SizeOf(_buffer.AsSpan(_start, Math.Min(_end - _start, WalSegmentHeader.PrefixSizeBytes)));
        Fill(size);
        var header = WalSegmentHeader.Decode(_buffer.AsSpan(_start, Math.Min(_end - _start, size)));
        if (header.Channel != channel || header.Term != segment.Term || header.FirstLsn != segment.FirstLsn)
        {
            throw new WalFormatException(0, $"the header is of channel '{header.Channel}', term {header.Term}, LSN {header.FirstLsn}");
        }

        _start += size;
        Place = Place with { Offset = size };
    }

    /// <summary>Goes to the next batch; false at the end.</summary>
    /// <exception cref="WalFormatException">It is torn, damaged, or not the one that belongs here. <see cref="Place"/> is where it begins.</exception>
    public bool Next()
    {
        _start += _size;
        _size = 0;
        if (Place.Offset >= _endOffset)
        {
            return false;
        }

        Fill(WalBatchCodec.PrefixSizeBytes);
        var size = WalBatchCodec.SizeOf(_buffer.AsSpan(_start, Math.Min(_end - _start, WalBatchCodec.PrefixSizeBytes)));
        if (size > _endOffset - Place.Offset)
        {
            throw new WalFormatException(0, $"the file ends {size - (_endOffset - Place.Offset)} bytes before the batch does");
        }

        Fill(size);
        var extent = WalBatchExtent.Of(_buffer.AsSpan(_start, Math.Min(_end - _start, size)));
        if (extent.FirstLsn != Place.Lsn)
        {
            throw new WalFormatException(8, $"the batch begins at LSN {extent.FirstLsn}, not {Place.Lsn}");
        }

        (_size, Extent, BatchPlace) = (size, extent, Place);
        Place = new WalSegmentPlace(extent.LastLsn + 1, Place.Offset + size);
        return true;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    // Has that many bytes from the next one on in the buffer, unless the file ends before.
    private void Fill(int wanted)
    {
        var have = _end - _start;
        if (have >= wanted)
        {
            return;
        }

        var target = wanted > _buffer.Length ? ArrayPool<byte>.Shared.Rent(wanted) : _buffer;
        _buffer.AsSpan(_start, have).CopyTo(target);
        if (target != _buffer)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = target;
        }

        var room = (int)Math.Clamp(_endOffset - Place.Offset - have, 0, _buffer.Length - have);
        (_start, _end) = (0, have + _file.Read(Place.Offset + have, _buffer.AsSpan(have, room)));
    }
}
