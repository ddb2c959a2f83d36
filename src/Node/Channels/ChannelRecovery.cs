using Baton.Core.Channels;
using Baton.Core.Cluster;
using Baton.Core.Metadata;
using Baton.Core.Wal;
using Baton.Node.Broadcasts;
using Baton.Node.Metadata;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <summary>What an opening makes of a log: the newest snapshot that can be taken, and every record behind it.</summary>
internal sealed partial class ChannelRecovery(string clusterId, string channel, ILogger log)
{
    private readonly List<PendingAck> _owed = [];

    /// <summary>The rules, as far as the log has been handed on.</summary>
    public ChannelMachine Machine { get; private set; } = new(clusterId, channel);

    /// <summary>The catalogue, where the channel is its log; else null.</summary>
    public MetadataState? Metadata { get; private set; } = channel == MetadataChannel.Name ? MetadataState.Empty : null;

    /// <summary>Sizes of the transactions in it.</summary>
    public TransactionSizes Sizes { get; } = new();

    /// <summary>Acks that the control plane may never have had, in the log's order.</summary>
    public IReadOnlyList<PendingAck> Owed => _owed;

    /// <summary>LSN of the snapshot taken; 0 = none.</summary>
    public long SnapshotLsn { get; private set; }

    /// <summary>Records read behind the snapshot.</summary>
    public int Records { get; private set; }

    /// <summary>Their payload.</summary>
    public long PayloadBytes { get; private set; }

    /// <summary>Takes a snapshot unless something is wrong with it. An older one, or the log itself, then says the same at more length.</summary>
    public ValueTask<bool> TakeSnapshotAsync(WalSnapshot snapshot)
    {
        var content = ChannelSnapshot.TryDecode(snapshot.Content.Span, out var problem);
        var machine = content is null ? null : ChannelMachine.TryRestore(clusterId, channel, content.Machine, out problem);
        if (machine is not null && machine.LastLsn != snapshot.Lsn)
        {
            (problem, machine) = ($"its state is that of LSN {machine.LastLsn}", null);
        }

        var metadata = Metadata is null || machine is null ? null : MetadataSnapshots.TryDecode(content!, machine.LastLsn, out problem);
        if (content is null || machine is null || metadata is null != Metadata is null)
        {
            LogRefused(log, channel, snapshot.Lsn, problem ?? "unknown");
            return ValueTask.FromResult(false);
        }

        (Machine, Metadata, SnapshotLsn) = (machine, metadata, snapshot.Lsn);
        Sizes.Restore(content.Sizes);
        _owed.AddRange(content.Owed.Select(o => new PendingAck(o.Lsn, o.BroadcastId, o.Request, Task.CompletedTask)));
        return ValueTask.FromResult(true);
    }

    /// <summary>Takes the next record.</summary>
    /// <exception cref="InvalidDataException">It cannot follow.</exception>
    public ValueTask TakeRecordAsync(long lsn, WalRecord record)
    {
        if (Machine.Apply(lsn, record).Ack is { Source: not null } ack)
        {
            _owed.Add(new PendingAck(lsn, record.BroadcastId, ack, Task.CompletedTask));
        }

        Metadata = Metadata?.Apply(lsn, record);
        Sizes.Apply(record);
        Records++;
        PayloadBytes += record.Payload.Length;
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Channel {Channel}: the snapshot at LSN {Lsn} is not used: {Problem}")]
    private static partial void LogRefused(ILogger log, string channel, long lsn, string problem);
}
