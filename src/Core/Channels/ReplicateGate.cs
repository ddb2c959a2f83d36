using Baton.Core.Api;
using Baton.Core.Broadcasts;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.Core.Channels;

/// <summary>What the gate says of a replicated record.</summary>
public enum GateVerdict
{
    /// <summary>Append it.</summary>
    Accept,

    /// <summary>It is here already: a repeat is never an error.</summary>
    Ignore,

    /// <summary>It must not be here.</summary>
    Violation,
}

/// <summary>A verdict and, where it is a violation, what is wrong.</summary>
public readonly record struct GateDecision(GateVerdict Verdict, string? Reason = null);

/// <summary>The one replicated transaction that a channel may have open.</summary>
/// <param name="TxnId">Its id in the source.</param>
/// <param name="BeginLsn">LSN of its begin here.</param>
/// <param name="LastSourceLsn">LSN in the source of the last of its records taken over.</param>
public sealed record ReplicatedTransaction(long TxnId, long BeginLsn, long LastSourceLsn);

/// <summary>
/// What a channel accepts, told by its own log alone: the cluster's role, its source, and how far the source has been taken over.
/// Immutable: <see cref="After"/> and <see cref="Switch"/> give the gate after a record, the same when that record is being
/// prepared, appended or replayed.
/// <para>
/// A source sends its records in the order in which they became visible: a transaction comes whole, as begin, bodies and commit
/// with nothing between, and no record of it has a time tick at or below that of a record sent before. Repeats are told by time tick
/// against the checkpoint, and within the open transaction by source LSN, since its bodies may all carry the commit's tick.
/// </para>
/// </summary>
public sealed record ReplicateGate(string ClusterId, string Channel)
{
    /// <summary>The configuration in force on this channel; null before the first.</summary>
    public ReplicateConfiguration? Configuration { get; private init; }

    /// <summary>The broadcast that forced it, or 0. A change with a lower id that comes late must not undo the force.</summary>
    public long ForcedBroadcastId { get; private init; }

    /// <summary>What it makes of this cluster.</summary>
    public ClusterRole Role { get; private init; } = ClusterRole.Standalone;

    /// <summary>The cluster that a secondary replicates from.</summary>
    public string? SourceCluster { get; private init; }

    /// <summary>The channel there that corresponds to this one.</summary>
    public string? SourceChannel { get; private init; }

    /// <summary>How far a secondary has taken over its source; null where the cluster is none.</summary>
    public ReplicateCheckpoint? Checkpoint { get; private init; }

    /// <summary>The replicated transaction that is open.</summary>
    public ReplicatedTransaction? Transaction { get; private init; }

    /// <summary>Where the channel left its last source by force; null where it follows a source, or left none by force. The log tells it, so every later leader does.</summary>
    public ReplicateDeparture? Departure { get; private init; }

    /// <summary>With a departure: a configuration since then has had that source replicate from this cluster, so its log may hold records of this one, and must not be taken from where it was left.</summary>
    public bool SentBack { get; private init; }

    /// <summary>Null where records of this cluster itself may be appended.</summary>
    public ApiError? CheckLocal() => Role == ClusterRole.Secondary
        ? ApiError.ReplicateViolation($"cluster {ClusterId} is secondary of {SourceCluster}: channel {Channel} takes only replicated records")
        : null;

    /// <summary>
    /// Null where clients may write as far as the cluster's standing goes: what they write must reach the other clusters. It does not where another one was promoted in
    /// this one's place, nor on a channel that no configuration has named. A secondary is refused by <see cref="CheckLocal"/>, which says it better.
    /// </summary>
    /// <param name="standing">How the cluster replicates; null where nobody has said so yet.</param>
    public ApiError? CheckClient(ReplicateStanding? standing)
    {
        if (Role == ClusterRole.Secondary)
        {
            return null;
        }

        if (standing?.Superseded is { RefusesWrites: true } superseded)
        {
            return ApiError.ReplicateViolation(
                $"cluster {superseded.By} was promoted in place of cluster {ClusterId} by broadcast {superseded.BroadcastId}: records written here would be on no other cluster. "
                + $"An operator attaches this cluster to {superseded.By}, or keeps it, by PUT /api/replicate-configuration");
        }

        return standing?.Replicates == true && Configuration is null
            ? ApiError.ReplicateViolation($"no configuration names channel {Channel} yet, so that records written here would be on no other cluster: add it on every cluster, then to the configuration on the primary")
            : null;
    }

    /// <summary>Null where records of this source may be appended.</summary>
    public ApiError? CheckSource(string sourceCluster, string sourceChannel)
    {
        if (Role != ClusterRole.Secondary)
        {
            // Only who was left hears by what: it stops for good on this word, and another source's mistake must not make it do so.
            return Left(sourceCluster, sourceChannel) is { } departure
                ? ApiError.ReplicateViolation($"cluster {departure.By} was promoted in place of cluster {sourceCluster} by broadcast {departure.BroadcastId}: channel {Channel} takes no more of its records") with { Departure = departure }
                : ApiError.ReplicateViolation($"cluster {ClusterId} is not secondary: channel {Channel} takes no replicated records (from cluster {sourceCluster})");
        }

        if (!string.Equals(sourceCluster, SourceCluster, StringComparison.Ordinal))
        {
            return ApiError.ReplicateViolation($"cluster {ClusterId} replicates from {SourceCluster}, not from {sourceCluster}");
        }

        return string.Equals(sourceChannel, SourceChannel, StringComparison.Ordinal)
            ? null
            : ApiError.ReplicateViolation($"channel {Channel} replicates channel {SourceChannel} of cluster {SourceCluster}, not {sourceChannel}");
    }

    /// <summary>
    /// Null where a change of configuration may come from this source. A channel that was never configured takes its first one from the
    /// cluster that the change itself makes its source: so a channel added by growth joins.
    /// </summary>
    public ApiError? CheckConfigSource(string sourceCluster, string sourceChannel, ReplicateConfiguration change) =>
        Configuration is null ? Switched(change).CheckSource(sourceCluster, sourceChannel) : CheckSource(sourceCluster, sourceChannel);

    /// <summary>
    /// The vchannel here of a record of this source, or null where none corresponds. The forced configuration may name the former source no more; what had come from it
    /// is known by the names that it was given then.
    /// </summary>
    /// <param name="map">The configuration that says which channels correspond.</param>
    /// <param name="sourceCluster">The source.</param>
    /// <param name="sourceChannel">The channel there.</param>
    /// <param name="vchannel">The vchannel there, one of that channel.</param>
    internal string? ToHere(ReplicateConfiguration? map, string sourceCluster, string sourceChannel, string vchannel) => Left(sourceCluster, sourceChannel) is null
        ? ChannelMapping.TargetVChannel(map, sourceCluster, ClusterId, vchannel)
        : VChannels.MoveTo(vchannel, Channel);

    /// <summary>What to do with a record from the source.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="txnId">Its transaction.</param>
    /// <param name="position">Its position in the source.</param>
    public GateDecision Decide(WalRecordType type, long txnId, SourcePosition position)
    {
        ArgumentNullException.ThrowIfNull(position);
        var taken = Checkpoint?.TimeTick ?? 0;
        return type switch
        {
            WalRecordType.TimeTick => new GateDecision(GateVerdict.Ignore),
            WalRecordType.AlterReplicateConfig => position.TimeTick <= taken ? new GateDecision(GateVerdict.Ignore) : new GateDecision(GateVerdict.Accept),
            WalRecordType.Message or WalRecordType.Broadcast => DecidePlain(position.TimeTick <= taken),
            WalRecordType.TxnBegin => DecideBegin(txnId, position.TimeTick <= taken),
            WalRecordType.TxnBody => DecideBody(txnId, position, taken),
            WalRecordType.TxnCommit or WalRecordType.TxnRollback => DecideEnd(txnId, position.TimeTick, taken),
            _ => Violation($"record type {(int)type} cannot be replicated"),
        };
    }

    /// <summary>The gate after <paramref name="record"/>, which is no change of configuration, at <paramref name="lsn"/>.</summary>
    public ReplicateGate After(long lsn, WalRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (record.Source is not { } source)
        {
            return this;
        }

        return record.Type switch
        {
            WalRecordType.TxnBegin => this with { Transaction = new ReplicatedTransaction(record.TxnId, lsn, source.Lsn) },
            WalRecordType.TxnBody => this with { Transaction = Transaction is null ? null : Transaction with { LastSourceLsn = source.Lsn } },
            WalRecordType.TxnRollback => this with { Transaction = null },
            WalRecordType.TxnCommit => Advanced(source) with { Transaction = null },
            _ => Advanced(source),
        };
    }

    /// <summary>
    /// The gate after a change of configuration that is not ignored. Turning secondary, or to another source, starts at checkpoint zero;
    /// staying with the source keeps it, and so does coming back to one that was left by force and has taken nothing from here since: what it had sent is here, and it may not have heard of the force at all;
    /// any other role has none. The replicated transaction outlives only a change that is not forced
    /// and keeps the source. A secondary that a force of this cluster's own turns into something else remembers whom it left, until it is
    /// secondary again; a source that gives it up by itself knows.
    /// </summary>
    public ReplicateGate Switch(AlterReplicateConfig change, long broadcastId, SourcePosition? source)
    {
        ArgumentNullException.ThrowIfNull(change);
        var next = Switched(change.Configuration) with { ForcedBroadcastId = change.Forced ? broadcastId : 0 };
        if (next.Role != ClusterRole.Secondary)
        {
            return next.Leaving(change.Forced && source is null ? DepartureBy(broadcastId) : null, this);
        }

        next = KeepsSource(next)
            ? next with { Checkpoint = Checkpoint, Transaction = change.Forced ? null : Transaction }
            : next with { Checkpoint = (SentBack ? null : Left(next.SourceCluster!, next.SourceChannel ?? "")?.From) ?? new ReplicateCheckpoint(next.SourceCluster!, next.SourceChannel ?? "", 0, 0) };
        return source is not null && next.CheckSource(source.ClusterId, source.Channel) is null ? next.Advanced(source) : next;
    }

    /// <summary>Whether <paramref name="next"/> goes on with the same source channel.</summary>
    public bool KeepsSource(ReplicateGate next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return Role == ClusterRole.Secondary
            && string.Equals(SourceCluster, next.SourceCluster, StringComparison.Ordinal)
            && string.Equals(SourceChannel, next.SourceChannel, StringComparison.Ordinal);
    }

    /// <summary>The gate of a snapshot: role and source follow from the configuration.</summary>
    internal static ReplicateGate Restore(
        string clusterId,
        string channel,
        ReplicateConfiguration? configuration,
        long forcedBroadcastId,
        ReplicateCheckpoint? checkpoint,
        ReplicatedTransaction? transaction,
        ReplicateDeparture? departure,
        bool sentBack)
    {
        var gate = new ReplicateGate(clusterId, channel);
        return (configuration is null ? gate : gate.Switched(configuration)) with
        {
            ForcedBroadcastId = forcedBroadcastId,
            Checkpoint = checkpoint,
            Transaction = transaction,
            Departure = departure,
            SentBack = sentBack,
        };
    }

    private ReplicateDeparture? DepartureBy(long broadcastId) => Role == ClusterRole.Secondary && Checkpoint is { } taken ? new ReplicateDeparture(ClusterId, broadcastId, taken) : null;

    private ReplicateGate Leaving(ReplicateDeparture? departure, ReplicateGate before)
    {
        var left = departure ?? before.Departure;
        return this with
        {
            Departure = left,
            SentBack = left is not null
                && ((departure is null && before.SentBack) || ReplicateRoles.TargetsOf(Configuration, ClusterId).Contains(left.From.ClusterId, StringComparer.Ordinal)),
        };
    }

    // The departure, to whom it concerns.
    private ReplicateDeparture? Left(string sourceCluster, string sourceChannel) =>
        Departure is { From: var from } && string.Equals(from.ClusterId, sourceCluster, StringComparison.Ordinal) && string.Equals(from.Channel, sourceChannel, StringComparison.Ordinal)
            ? Departure
            : null;

    private ReplicateGate Switched(ReplicateConfiguration configuration)
    {
        var source = ReplicateRoles.SourceOf(configuration, ClusterId);
        return new ReplicateGate(ClusterId, Channel)
        {
            Configuration = configuration,
            Role = ReplicateRoles.RoleOf(configuration, ClusterId),
            SourceCluster = source,
            SourceChannel = source is null ? null : ChannelMapping.Target(configuration, ClusterId, source, Channel),
        };
    }

    private ReplicateGate Advanced(SourcePosition source) => Checkpoint is { } at && source.TimeTick > at.TimeTick
        ? this with { Checkpoint = new ReplicateCheckpoint(source.ClusterId, source.Channel, source.Lsn, source.TimeTick) }
        : this;

    private GateDecision DecidePlain(bool taken)
    {
        if (taken)
        {
            return new GateDecision(GateVerdict.Ignore);
        }

        return Transaction is null
            ? new GateDecision(GateVerdict.Accept)
            : Violation($"a plain record inside replicated transaction {Transaction.TxnId}");
    }

    private GateDecision DecideBegin(long txnId, bool taken)
    {
        if (taken || Transaction?.TxnId == txnId)
        {
            return new GateDecision(GateVerdict.Ignore);
        }

        return Transaction is null
            ? new GateDecision(GateVerdict.Accept)
            : Violation($"begin of transaction {txnId} inside replicated transaction {Transaction.TxnId}");
    }

    private GateDecision DecideBody(long txnId, SourcePosition position, long taken)
    {
        if (position.TimeTick < taken)
        {
            return new GateDecision(GateVerdict.Ignore);
        }

        if (Transaction is null)
        {
            // At the checkpoint it belongs to the transaction that was committed there; above, its begin never came, and ignoring it would lose it.
            return position.TimeTick == taken ? new GateDecision(GateVerdict.Ignore) : Violation($"a message of transaction {txnId} without its begin");
        }

        if (Transaction.TxnId != txnId)
        {
            return position.TimeTick == taken ? new GateDecision(GateVerdict.Ignore) : Violation($"a message of transaction {txnId} inside replicated transaction {Transaction.TxnId}");
        }

        return new GateDecision(position.Lsn <= Transaction.LastSourceLsn ? GateVerdict.Ignore : GateVerdict.Accept);
    }

    private GateDecision DecideEnd(long txnId, long tick, long taken)
    {
        if (Transaction is null || tick < taken)
        {
            return new GateDecision(GateVerdict.Ignore);
        }

        if (Transaction.TxnId == txnId)
        {
            return new GateDecision(GateVerdict.Accept);
        }

        return tick == taken ? new GateDecision(GateVerdict.Ignore) : Violation($"the end of transaction {txnId} inside replicated transaction {Transaction.TxnId}");
    }

    private static GateDecision Violation(string reason) => new(GateVerdict.Violation, reason);
}
