using Baton.Core.Metadata;
using Baton.Core.Time;
using Baton.Core.Wal;

namespace Baton.Node.Metadata;

/// <summary>From the log of <c>__metadata</c> to the state that it stands for: the one way, on leader and followers, live and when it is read again.</summary>
internal static class MetadataRecords
{
    /// <summary>The state behind the record at <paramref name="lsn"/>. A record that is no command, such as a time tick, only moves it on.</summary>
    /// <exception cref="UnknownMetadataCommandException">It was written by a later version of Baton.</exception>
    /// <exception cref="InvalidDataException">It is no command at all.</exception>
    public static MetadataState Apply(this MetadataState state, long lsn, WalRecord record) => record.Type == WalRecordType.Message
        ? state.Apply(lsn, TimeTicks.ToInstant(record.TimeTick), MetadataCodec.Decode(record.Payload.Span))
        : state.Skip(lsn);
}
