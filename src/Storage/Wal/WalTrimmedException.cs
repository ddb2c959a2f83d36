using System.Globalization;

namespace Baton.Storage.Wal;

/// <summary>Records were asked for that are below the retained history: they are gone for good.</summary>
public sealed class WalTrimmedException : Exception
{
    internal WalTrimmedException(string channel, long fromLsn, long firstLsn)
        : base(string.Create(CultureInfo.InvariantCulture, $"Channel '{channel}' is retained from LSN {firstLsn} on: LSN {fromLsn} is gone.")) =>
        FirstLsn = firstLsn;

    /// <summary>The first LSN that can still be read.</summary>
    public long FirstLsn { get; }
}
