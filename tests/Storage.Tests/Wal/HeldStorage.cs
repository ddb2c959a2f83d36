using Azure;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>A storage whose appends of batches can be held back, and are counted; and with something that happens after each read.</summary>
internal sealed class HeldStorage(IWalStorage inner) : IWalStorage, IAppendBlobs
{
    private readonly Lock _gate = new();
    private readonly List<int> _counts = [];
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _held = Done();

    public IAppendBlobs Segments => this;

    public IAppendBlobs Snapshots => inner.Snapshots;

    /// <summary>Happens after each read of a segment, before its reader has it.</summary>
    public Func<Task> AfterRead { get; set; } = () => Task.CompletedTask;

    public int Batches => Counts.Count;

    /// <summary>How many records each batch had.</summary>
    public IReadOnlyList<int> Counts
    {
        get
        {
            lock (_gate)
            {
                return [.. _counts];
            }
        }
    }

    public void Hold() => _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release() => _held.TrySetResult();

    /// <summary>Completes when an append has come that is held.</summary>
    public Task ArrivedAsync() => _arrived.Task.WaitAsync(TimeSpan.FromSeconds(120));

    public async Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken)
    {
        if (position > 0)
        {
            lock (_gate)
            {
                _counts.Add(WalBatchCodec.Decode(block.ToArray()).Records.Count);
            }

            if (!_held.Task.IsCompleted)
            {
                _arrived.TrySetResult();
                await _held.Task.WaitAsync(cancellationToken);
            }
        }

        return await inner.Segments.AppendAsync(blob, position, block, cancellationToken);
    }

    public Task<IReadOnlyList<string>> ListChannelsAsync(CancellationToken cancellationToken) => inner.ListChannelsAsync(cancellationToken);

    public Task<VersionedManifest?> ReadManifestAsync(string channel, CancellationToken cancellationToken) => inner.ReadManifestAsync(channel, cancellationToken);

    public Task<ETag?> WriteManifestAsync(WalManifest manifest, ETag? expected, CancellationToken cancellationToken) => inner.WriteManifestAsync(manifest, expected, cancellationToken);

    public Task CreateAsync(string blob, CancellationToken cancellationToken) => inner.Segments.CreateAsync(blob, cancellationToken);

    public Task SealAsync(string blob, CancellationToken cancellationToken) => inner.Segments.SealAsync(blob, cancellationToken);

    public async Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken)
    {
        var read = await inner.Segments.ReadAsync(blob, offset, target, cancellationToken);
        await AfterRead();
        return read;
    }

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => inner.Segments.ListAsync(prefix, cancellationToken);

    public Task DeleteAsync(string blob, CancellationToken cancellationToken) => inner.Segments.DeleteAsync(blob, cancellationToken);

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }
}
