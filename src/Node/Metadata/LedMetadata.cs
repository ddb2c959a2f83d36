using Baton.Core.Api;
using Baton.Core.Channels;
using Baton.Core.Metadata;
using Baton.Core.Wal;

namespace Baton.Node.Metadata;

/// <summary>
/// The catalogue on the leader of <c>__metadata</c>: what its <see cref="Channels.LedChannel"/> does for a metadata command beside the channel's own rules. Decided and applied in the channel's
/// turn, on the state that everything handed to the log so far leads to; published, to readers and to those who wait, when the log has it.
/// </summary>
/// <param name="recovered">What the log had led to when it was opened.</param>
/// <param name="copy">What readers see.</param>
internal sealed class LedMetadata(MetadataState recovered, MetadataCopy copy)
{
    /// <summary>The state with everything that was handed to the log. Changed in the channel's turn only; may be ahead of what is durable.</summary>
    public MetadataState Head { get; private set; } = recovered;

    /// <summary>Decides about commands. A repeat, by its producer's stamp, is answered as the first time, whatever the state has become since.</summary>
    /// <exception cref="ApiException">The state refuses one of them: then none is written.</exception>
    public Prepared<WriteAnswer> Prepare(ChannelMachine machine, IReadOnlyList<MetadataCommand> commands, AppendRequest encoded, DateTimeOffset now)
    {
        var prepared = machine.PrepareAppend(encoded, now);
        return prepared.Error is null && prepared.Records.Count > 0 && MetadataRules.CheckAll(Head, commands) is { } refused ? throw refused.ToException() : prepared;
    }

    /// <summary>A record was handed to the log.</summary>
    public void Apply(long lsn, WalRecord record) => Head = Head.Apply(lsn, record);

    /// <summary>The log has everything that <paramref name="state"/> rests on.</summary>
    public void Durable(MetadataState state) => copy.Publish(state);
}
