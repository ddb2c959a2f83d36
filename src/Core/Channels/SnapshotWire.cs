using System.Buffers;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>Writes the parts of a channel snapshot with the primitives of the log's format. It grows: tables are written in one pass, without measuring them first.</summary>
internal sealed class SnapshotWriter
{
    private const int FirstSizeBytes = 4_096;
    private const int MaxVarintBytes = 10;

    private readonly ArrayBufferWriter<byte> _bytes = new(FirstSizeBytes);

    public void Number(long value)
    {
        var writer = new WireWriter(_bytes.GetSpan(MaxVarintBytes));
        writer.Varint((ulong)value);
        _bytes.Advance(writer.Written);
    }

    public void Flag(bool value) => Number(value ? 1 : 0);

    public void Text(string text)
    {
        var writer = new WireWriter(_bytes.GetSpan(WireWriter.TextSize(text)));
        writer.Text(text);
        _bytes.Advance(writer.Written);
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        var writer = new WireWriter(_bytes.GetSpan(WireWriter.BytesSize(bytes.Length)));
        writer.Bytes(bytes);
        _bytes.Advance(writer.Written);
    }

    public void Checkpoint(ReplicateCheckpoint? checkpoint)
    {
        Flag(checkpoint is not null);
        if (checkpoint is not null)
        {
            Text(checkpoint.ClusterId);
            Text(checkpoint.Channel);
            Number(checkpoint.Lsn);
            Number(checkpoint.TimeTick);
        }
    }

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public byte[] ToArray() => _bytes.WrittenSpan.ToArray();
}

/// <summary>Reads what <see cref="SnapshotWriter"/> wrote. Every failure is a <see cref="WalFormatException"/>.</summary>
internal ref struct SnapshotReader(ReadOnlySpan<byte> source)
{
    private WireReader _reader = new(source, 0);

    public readonly int Left => _reader.Left;

    public readonly WalFormatException Wrong(string problem) => _reader.Wrong(problem);

    public long Number(string what) => (long)_reader.Varint(what);

    public bool Flag(string what) => Number(what) switch
    {
        0 => false,
        1 => true,
        _ => throw _reader.Wrong($"{what} is neither 0 nor 1"),
    };

    /// <summary>How many rows follow. Each takes a byte at least, so that a wrong count is found before anything is made for it.</summary>
    public int Count(string what)
    {
        var count = Number(what);
        return count >= 0 && count <= _reader.Left ? (int)count : throw _reader.Wrong($"{what} claims {count} rows where {_reader.Left} bytes are left");
    }

    public string Text(string what) => _reader.Text(what);

    public ReadOnlySpan<byte> Bytes(string what) => _reader.Bytes(what);

    public ReplicateCheckpoint? Checkpoint(string what) => Flag(what)
        ? new ReplicateCheckpoint(Text(what), Text(what), Number(what), Number(what))
        : null;
}
