using Baton.Storage.Wal;

namespace Baton.Storage.Tests.Wal;

/// <summary>One blob in memory whose reads wait until the test lets them go on, and that counts them.</summary>
internal sealed class RangeBlobs : IAppendBlobs
{
    private readonly Lock _gate = new();
    private readonly List<(long Offset, int Bytes)> _calls = [];

    public byte[] Content { get; set; } = [];

    /// <summary>What the call of this number, from 1, waits for or fails with, before it is done.</summary>
    public Func<int, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    public IReadOnlyList<(long Offset, int Bytes)> Calls
    {
        get
        {
            lock (_gate)
            {
                return [.. _calls];
            }
        }
    }

    /// <summary>Calls that have begun and not ended.</summary>
    public int UnderWay { get; private set; }

    public async Task<int> ReadAsync(string blob, long offset, Memory<byte> target, CancellationToken cancellationToken)
    {
        int call;
        lock (_gate)
        {
            _calls.Add((offset, target.Length));
            call = _calls.Count;
            UnderWay++;
        }

        try
        {
            await Before(call, cancellationToken);
            var read = (int)Math.Clamp(Content.Length - offset, 0, target.Length);
            Content.AsSpan((int)Math.Min(offset, Content.Length), read).CopyTo(target.Span);
            return read;
        }
        finally
        {
            lock (_gate)
            {
                UnderWay--;
            }
        }
    }

    public Task CreateAsync(string blob, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<AppendOutcome> AppendAsync(string blob, long position, ReadOnlyMemory<byte> block, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task SealAsync(string blob, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IReadOnlyList<string>> ListAsync(string prefix, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task DeleteAsync(string blob, CancellationToken cancellationToken) => throw new NotSupportedException();
}
