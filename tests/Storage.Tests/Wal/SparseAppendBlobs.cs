using System.Collections.Concurrent;
using Azure;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>A container of append blobs in memory that keeps no zeros, so that a blob of any size fits, and refuses a block too many as the service does.</summary>
internal sealed class SparseAppendBlobs : IAppendBlobs
{
    /// <summary>The service's limit.</summary>
    public const int MaxBlocks = 50_000;

    private readonly ConcurrentDictionary<string, Blob> _blobs = new(StringComparer.Ordinal);

    /// <summary>Name, blocks and length of every blob, in order of the names.</summary>
    public IReadOnlyList<(string Name, int Blocks, long LengthBytes, bool Sealed)> Blobs =>
        [.. _blobs.OrderBy(b => b.Key, StringComparer.Ordinal).Select(b => (b.Key, b.Value.Blocks.Count, b.Value.LengthBytes, b.Value.Sealed))];

    public Task CreateAsync(string blob, CancellationToken cancellationToken)
    {
        _blobs.TryAdd(blob, new Blob());
        return Task.CompletedTask;
    }

    public Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => AzureWalStorage.CallAsync(
        "append",
        () =>
        {
            var there = Find(blob);
            if (there.Blocks.Count == MaxBlocks)
            {
                throw new RequestFailedException(409, "The committed block count cannot exceed the maximum limit of 50,000 blocks.", "BlockCountExceedsLimit", null);
            }

            if (there.Sealed || there.LengthBytes != position)
            {
                return Task.FromResult(there.Sealed ? AppendOutcome.Sealed : AppendOutcome.PositionMoved);
            }

            there.Blocks.Add(new Block(position, block.Length, block.Span.TrimEnd((byte)0).ToArray()));
            return Task.FromResult(AppendOutcome.Appended);
        },
        cancellationToken);

    public Task SealAsync(string blob, CancellationToken cancellationToken)
    {
        Find(blob).Sealed = true;
        return Task.CompletedTask;
    }

    public Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken)
    {
        var there = Find(blob);
        var wanted = (int)Math.Clamp(there.LengthBytes - offset, 0, target.Length);
        target.Span[..wanted].Clear();
        for (var i = there.IndexAt(offset); i < there.Blocks.Count && there.Blocks[i].Offset < offset + wanted; i++)
        {
            // The block's own bytes that fall into the range; behind them are its zeros.
            var (at, _, bytes) = there.Blocks[i];
            var from = Math.Max(offset, at);
            var until = Math.Min(offset + wanted, at + bytes.Length);
            if (from < until)
            {
                bytes.AsSpan((int)(from - at), (int)(until - from)).CopyTo(target.Span[(int)(from - offset)..]);
            }
        }

        return Task.FromResult(wanted);
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([.. Blobs.Select(b => b.Name).Where(n => n.StartsWith(prefix, StringComparison.Ordinal))]);

    public Task DeleteAsync(string blob, CancellationToken cancellationToken)
    {
        _blobs.TryRemove(blob, out _);
        return Task.CompletedTask;
    }

    private Blob Find(string blob) => _blobs.TryGetValue(blob, out var found) ? found : throw new WalBlobMissingException(blob);

    /// <summary>A block; behind its bytes it holds zeros up to its length.</summary>
    private sealed record Block(long Offset, int Length, byte[] Bytes);

    private sealed class Blob
    {
        private static readonly Comparer<Block> ByOffset = Comparer<Block>.Create((a, b) => a.Offset.CompareTo(b.Offset));

        public List<Block> Blocks { get; } = [];

        public bool Sealed { get; set; }

        public long LengthBytes => Blocks is [.., var last] ? last.Offset + last.Length : 0;

        /// <summary>Which block <paramref name="offset"/> is in.</summary>
        public int IndexAt(long offset)
        {
            var found = Blocks.BinarySearch(new Block(offset, 0, []), ByOffset);
            return found >= 0 ? found : Math.Max(0, ~found - 1);
        }
    }
}
