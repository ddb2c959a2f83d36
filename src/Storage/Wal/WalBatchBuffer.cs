using System.Buffers;
using Baton.Core.Wal;

namespace Baton.Storage.Wal;

/// <summary>A batch being filled, in memory from the pool. Everything that is in it becomes durable at once, so all appends share one task.</summary>
internal sealed class WalBatchBuffer(long firstLsn) : IBufferWriter<byte>
{
    private const int FirstSizeBytes = 16 * 1024;
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(FirstSizeBytes);

    /// <summary>LSN of the first record.</summary>
    public long FirstLsn { get; } = firstLsn;

    /// <summary>Records in it.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes in it, the room for the header included.</summary>
    public int LengthBytes { get; private set; } = WalBatchCodec.HeaderSizeBytes;

    /// <summary>LSN of the last record.</summary>
    public long LastLsn => FirstLsn + Count - 1;

    /// <summary>Completes when the storage has the batch, or fails with the writer.</summary>
    public TaskCompletionSource Durable { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Encodes <paramref name="records"/> into it, all or none.</summary>
    public void Add(IReadOnlyList<WalRecord> records)
    {
        var before = LengthBytes;
        var whole = false;
        try
        {
            for (var i = 0; i < records.Count; i++)
            {
                WalBatchCodec.AppendRecord(this, records[i]);
            }

            whole = true;
        }
        finally
        {
            LengthBytes = whole ? LengthBytes : before;
        }

        Count += records.Count;
    }

    /// <summary>The whole batch, header written. Nothing may be added after this.</summary>
    public ReadOnlyMemory<byte> Complete()
    {
        WalBatchCodec.WriteHeader(_bytes.AsSpan(0, LengthBytes), FirstLsn, Count);
        return _bytes.AsMemory(0, LengthBytes);
    }

    /// <summary>Gives the memory back to the pool. Only when no call that was handed it can still be reading from it; otherwise leave it to the garbage collector.</summary>
    public void Release()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
    }

    public void Advance(int count) => LengthBytes += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(LengthBytes);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(LengthBytes);
    }

    private void Reserve(int bytes)
    {
        if (_bytes.Length - LengthBytes >= Math.Max(bytes, 1))
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * _bytes.Length, LengthBytes + bytes));
        _bytes.AsSpan(0, LengthBytes).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
