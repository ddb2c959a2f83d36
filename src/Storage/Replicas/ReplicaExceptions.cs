using System.Globalization;

namespace Baton.Storage.Replicas;

/// <summary>A batch begins behind the next LSN: what is between must come first. Nothing was changed.</summary>
public sealed class ReplicaGapException : Exception
{
    internal ReplicaGapException(string channel, long nextLsn, long firstLsn)
        : base(string.Create(CultureInfo.InvariantCulture, $"The replica of channel '{channel}' takes LSN {nextLsn} next: a batch from {firstLsn} on would leave a gap."))
    {
        Channel = channel;
        NextLsn = nextLsn;
    }

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>The LSN that it takes next.</summary>
    public long NextLsn { get; }
}

/// <summary>A batch is of a term below the last record's: a deposed leader's. Nothing was changed.</summary>
public sealed class ReplicaTermRefusedException : Exception
{
    internal ReplicaTermRefusedException(string channel, long term, long lastTerm)
        : base(string.Create(CultureInfo.InvariantCulture, $"The replica of channel '{channel}' holds records of term {lastTerm}: one of term {term} cannot follow them.")) =>
        LastTerm = lastTerm;

    /// <summary>Term of the last record held.</summary>
    public long LastTerm { get; }
}

/// <summary>Asked for records below the first one held.</summary>
public sealed class ReplicaTrimmedException : Exception
{
    internal ReplicaTrimmedException(string channel, long wantedLsn, long firstLsn)
        : base(string.Create(CultureInfo.InvariantCulture, $"The replica of channel '{channel}' begins at LSN {firstLsn}: LSN {wantedLsn} is not held.")) =>
        FirstLsn = firstLsn;

    /// <summary>The first LSN that is held, or would be held next.</summary>
    public long FirstLsn { get; }
}

/// <summary>The log was truncated or reset while it was read: what the read has given may be of what was dropped. Read again.</summary>
public sealed class ReplicaCutException : Exception
{
    internal ReplicaCutException(string channel)
        : base($"The replica of channel '{channel}' was cut while it was read.")
    {
    }
}

/// <summary>Records that should be here cannot be read. Never skipped; truncating below them, or resetting, makes the log usable again.</summary>
public sealed class ReplicaDamagedException : Exception
{
    internal ReplicaDamagedException(string channel, string file, long offset, long firstMissingLsn, string problem, Exception? innerException = null)
        : base(string.Create(CultureInfo.InvariantCulture, $"The replica of channel '{channel}', file '{file}', byte {offset}: {problem}. Missing from LSN {firstMissingLsn} on."), innerException) =>
        (Channel, File, Offset, FirstMissingLsn) = (channel, file, offset, firstMissingLsn);

    /// <summary>The channel.</summary>
    public string Channel { get; }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>Where in it the damaged batch begins, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The first LSN that cannot be read.</summary>
    public long FirstMissingLsn { get; }
}

/// <summary>The disk refused. When a change failed with this the log takes no more of them: dispose of it and open it again, which finds out what is there.</summary>
public sealed class ReplicaFaultedException : Exception
{
    internal ReplicaFaultedException(string channel, string problem, Exception? innerException)
        : base($"The replica of channel '{channel}': {problem}{(innerException is null ? "" : $" ({innerException.Message.TrimEnd('.')})")}.", innerException)
    {
    }
}
