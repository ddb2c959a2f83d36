using Baton.Core.Api;
using Baton.Core.Replication;
using Baton.Core.Wal;

namespace Baton.DevHost.Chaos.Checks;

/// <summary>Whether the salvage list of a channel names exactly the visible records that the promoted cluster lacks.</summary>
public static class SalvageCheck
{
    /// <summary>LSNs of the records that the target lacks, ascending. A copy of a broadcast lacks only where the target has none of it on that vchannel, by whatever way.</summary>
    public static IReadOnlyList<long> Lacking(ReplicatedChannel channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        var taken = DeliveryCheck.TakenOver(channel.Target, channel.SourceCluster, channel.StartLsn).Select(m => m.Source!.Lsn).ToHashSet();
        var broadcasts = channel.Target.Where(m => m.Type == WalRecordType.Broadcast).Select(m => (m.BroadcastId, Moved(m.VChannel))).ToHashSet();
        return
        [
            .. DeliveryCheck.Shipped(channel.Source, channel.StartLsn)
                .Where(m => m.Type == WalRecordType.Broadcast ? !broadcasts.Contains((m.BroadcastId, Moved(m.VChannel))) : !taken.Contains(m.Lsn))
                .Select(m => m.Lsn)
                .Order(),
        ];
    }

    /// <summary>Compares the list with the two logs.</summary>
    /// <param name="channel">The channel of the former source, and the one of the promoted cluster.</param>
    /// <param name="salvage">The list.</param>
    /// <returns>What is wrong; nothing where all is well.</returns>
    public static IReadOnlyList<string> Check(ReplicatedChannel channel, SalvageList? salvage)
    {
        ArgumentNullException.ThrowIfNull(channel);
        if (salvage is null)
        {
            return [$"{channel.SourceChannel}: there is no salvage list"];
        }

        var lacking = Lacking(channel);
        var visible = channel.Source.Where(m => m.Type is WalRecordType.Message or WalRecordType.TxnBody or WalRecordType.Broadcast).Select(m => m.Lsn).ToHashSet();
        var findings = new List<string>();
        if (salvage.Count != lacking.Count)
        {
            findings.Add($"{channel.SourceChannel}: {salvage.Count} records are listed, {lacking.Count} are lacking");
        }

        var unlisted = lacking.Where(l => !salvage.Ranges.Any(r => r.FirstLsn <= l && l <= r.LastLsn)).ToList();
        if (unlisted.Count > 0)
        {
            findings.Add($"{channel.SourceChannel}: {unlisted.Count} lacking records are in no range, the first at LSN {unlisted[0]}");
        }

        var drawnOut = salvage.Ranges.Count >= SalvageList.MaxRanges;
        foreach (var (range, index) in salvage.Ranges.Select((r, i) => (r, i)))
        {
            var inside = lacking.Count(l => l >= range.FirstLsn && l <= range.LastLsn);
            var others = visible.Count(l => l >= range.FirstLsn && l <= range.LastLsn) - inside;
            if (inside != range.Count || (others > 0 && !(drawnOut && index == salvage.Ranges.Count - 1)))
            {
                findings.Add($"{channel.SourceChannel}: range {range.FirstLsn} to {range.LastLsn} says {range.Count} records, holds {inside} lacking ones and {others} that the other cluster has");
            }
        }

        return findings;
    }

    private static string? Moved(string? vchannel) => vchannel is null ? null : VChannels.MoveTo(vchannel, string.Empty);
}
