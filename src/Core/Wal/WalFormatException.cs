namespace Baton.Core.Wal;

/// <summary>Bytes that are not what docs/wal-format.md, or docs/frames.md, says: the only exception that decoding throws, whatever the input.</summary>
public sealed class WalFormatException : Exception
{
    /// <summary>Says what is wrong at <paramref name="offset"/>.</summary>
    public WalFormatException(long offset, string problem)
        : base($"{problem} (at byte {offset})")
    {
        Offset = offset;
        Problem = problem;
    }

    /// <summary>Where, in bytes from the start of what was decoded.</summary>
    public long Offset { get; }

    /// <summary>What is wrong.</summary>
    public string Problem { get; }
}
