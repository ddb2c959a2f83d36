using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.DevHost.Chaos.Checks;

/// <summary>A source channel and the one that it is replicated to, both as readers see them with isolation committed.</summary>
/// <param name="SourceCluster">The cluster that ships.</param>
/// <param name="SourceChannel">Its channel.</param>
/// <param name="Source">What is visible there, in order.</param>
/// <param name="TargetChannel">The channel that takes it over.</param>
/// <param name="Target">What is visible there, in order.</param>
/// <param name="StartLsn">Where in the source the shipping began.</param>
public sealed record ReplicatedChannel(
    string SourceCluster, string SourceChannel, IReadOnlyList<ReadMessage> Source, string TargetChannel, IReadOnlyList<ReadMessage> Target, long StartLsn);

/// <summary>Whether what a target took over is what its source has: in order, once, unchanged, transactions whole.</summary>
public static class DeliveryCheck
{
    private const int MostFindings = 5;

    /// <summary>The target has everything.</summary>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Complete(ReplicatedChannel channel) => Compare(channel, mayEndEarly: false);

    /// <summary>The target has the beginning of it, up to some record or whole transaction.</summary>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Prefix(ReplicatedChannel channel) => Compare(channel, mayEndEarly: true);

    /// <summary>What a source has to ship, in order: what its readers see but changes of configuration, which each cluster has of its own.</summary>
    public static IEnumerable<ReadMessage> Shipped(IReadOnlyList<ReadMessage> source, long startLsn) =>
        source.Where(m => IsContent(m) && (m.CommitLsn ?? m.Lsn) >= startLsn);

    /// <summary>What of a target's visible records came from this source.</summary>
    public static IEnumerable<ReadMessage> TakenOver(IReadOnlyList<ReadMessage> target, string sourceCluster, long startLsn) =>
        target.Where(m => IsContent(m) && m.Source is { } s && s.ClusterId == sourceCluster && s.Lsn >= startLsn);

    private static bool IsContent(ReadMessage message) => message.Type is WalRecordType.Message or WalRecordType.TxnBody or WalRecordType.Broadcast;

    private static List<string> Compare(ReplicatedChannel channel, bool mayEndEarly)
    {
        ArgumentNullException.ThrowIfNull(channel);
        var findings = new List<string>();
        var taken = TakenOver(channel.Target, channel.SourceCluster, channel.StartLsn).ToList();

        // A copy of a broadcast that the target had by other means is recognised there and not taken over again.
        var takenLsns = taken.Select(m => m.Lsn).ToHashSet();
        var broadcastsThere = channel.Target.Where(m => m.Type == WalRecordType.Broadcast && !takenLsns.Contains(m.Lsn)).Select(Copy).ToHashSet();
        var shipped = Shipped(channel.Source, channel.StartLsn).Where(m => m.Type != WalRecordType.Broadcast || !broadcastsThere.Contains(Copy(m))).ToList();
        for (var i = 0; i < taken.Count && findings.Count < MostFindings; i++)
        {
            if (i >= shipped.Count)
            {
                findings.Add($"{channel.TargetChannel}: {Describe(taken[i])} has nothing that corresponds in {channel.SourceChannel}: it is there twice, or never was visible");
            }
            else if (taken[i].Source!.Lsn != shipped[i].Lsn)
            {
                findings.Add($"{channel.TargetChannel}: after {i} records {Describe(taken[i])} follows, where {channel.SourceChannel} has {Describe(shipped[i])}");
                break;
            }
            else if (!Same(taken[i], shipped[i], channel.TargetChannel))
            {
                findings.Add($"{channel.TargetChannel}: {Describe(taken[i])} is not what {channel.SourceChannel} has in its place, {Describe(shipped[i])}");
            }
        }

        if (findings.Count == 0 && taken.Count < shipped.Count)
        {
            if (!mayEndEarly)
            {
                findings.Add($"{channel.TargetChannel}: {taken.Count} of {shipped.Count} records are there; the first that is missing is {Describe(shipped[taken.Count])}");
            }
            else if (taken.Count > 0 && shipped[taken.Count].CommitLsn is { } commit && shipped[taken.Count - 1].CommitLsn == commit)
            {
                findings.Add($"{channel.TargetChannel}: transaction {shipped[taken.Count].TxnId} is there in part, up to {Describe(taken[^1])}");
            }
        }

        return findings;
    }

    private static bool Same(ReadMessage taken, ReadMessage shipped, string targetChannel) =>
        taken.Type == shipped.Type
        && taken.Key == shipped.Key
        && taken.BroadcastId == shipped.BroadcastId
        && taken.TxnId == shipped.TxnId
        && taken.VChannel == (shipped.VChannel is { } v ? VChannels.MoveTo(v, targetChannel) : null)
        && (taken.Type == WalRecordType.Broadcast || taken.Payload.AsSpan().SequenceEqual(shipped.Payload));

    private static (long Id, string? Suffix) Copy(ReadMessage broadcast) => (broadcast.BroadcastId!.Value, broadcast.VChannel is { } v ? VChannels.MoveTo(v, string.Empty) : null);

    private static string Describe(ReadMessage message) =>
        $"{message.Type} at LSN {message.Lsn}{(message.Source is { } s ? $" (LSN {s.Lsn} of {s.Channel})" : "")}{(message.BroadcastId is { } b ? $" of broadcast {b}" : "")}{(message.TxnId is { } t ? $" of transaction {t}" : "")}";
}
