using System.Globalization;

namespace Baton.Storage.Wal;

/// <summary>A channel was to be opened at a term that is not above the present one: somebody else leads, or led, at that term.</summary>
public sealed class WalTermRefusedException : Exception
{
    internal WalTermRefusedException(string channel, long wantedTerm, long currentTerm)
        : base(string.Create(CultureInfo.InvariantCulture, $"Channel '{channel}' is at term {currentTerm}: term {wantedTerm} cannot open it, a higher one can.")) =>
        CurrentTerm = currentTerm;

    /// <summary>The term in the manifest.</summary>
    public long CurrentTerm { get; }
}

/// <summary>Another opener has taken the channel. What fails with this is not in the log and never will be.</summary>
public sealed class WalFencedException : Exception
{
    internal WalFencedException(string channel, long term, string how)
        : base(string.Create(CultureInfo.InvariantCulture, $"The writer of channel '{channel}' at term {term} is fenced: {how}."))
    {
    }
}

/// <summary>The storage could not be reached, or refused, for longer than the bounds allow. What fails with this may or may not be in the log: open again and read.</summary>
public sealed class WalFaultedException : Exception
{
    internal WalFaultedException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

/// <summary>Too many bytes wait for the storage: try again a little later.</summary>
public sealed class WalOverloadedException : Exception
{
    internal WalOverloadedException(string channel, long queuedBytes)
        : base(string.Create(CultureInfo.InvariantCulture, $"Channel '{channel}' has {queuedBytes} bytes waiting for the storage."))
    {
    }
}

/// <summary>The log cannot be read on: bytes are damaged or missing. Never skipped.</summary>
public sealed class WalDamagedException : Exception
{
    internal WalDamagedException(string channel, string segment, long offset, long firstMissingLsn, long? lastMissingLsn, string problem, Exception? innerException = null)
        : base(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Channel '{channel}', segment '{segment}', byte {offset}: {problem}. Missing from LSN {firstMissingLsn} to {(lastMissingLsn is { } last ? last : "the end of the segment")}."),
            innerException)
    {
        Channel = channel;
        Segment = segment;
        Offset = offset;
        FirstMissingLsn = firstMissingLsn;
        LastMissingLsn = lastMissingLsn;
        Problem = problem;
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>Name of the blob.</summary>
    public string Segment { get; }

    /// <summary>Where in the blob the damaged batch begins, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The first LSN that cannot be read.</summary>
    public long FirstMissingLsn { get; }

    /// <summary>The last LSN of the segment, where it is known.</summary>
    public long? LastMissingLsn { get; }

    /// <summary>What is wrong there.</summary>
    public string Problem { get; }
}

/// <summary>Asked for records below the retained history: they are gone for good. Go on from a snapshot, or from <see cref="FirstLsn"/>.</summary>
public sealed class WalTrimmedException : Exception
{
    internal WalTrimmedException(string channel, long wantedLsn, long firstLsn)
        : base(string.Create(CultureInfo.InvariantCulture, $"Channel '{channel}' is retained from LSN {firstLsn}: LSN {wantedLsn} is gone."))
    {
        Channel = channel;
        FirstLsn = firstLsn;
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The first LSN that is retained.</summary>
    public long FirstLsn { get; }
}
