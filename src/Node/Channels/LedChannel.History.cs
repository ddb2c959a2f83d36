using Baton.Core.Api;
using Baton.Storage;
using Baton.Storage.Wal;

namespace Baton.Node.Channels;

/// <content>What recovery sessions ask of a leader: it has at hand what anybody else would have to read from the blobs.</content>
internal sealed partial class LedChannel
{
    /// <summary>What of the log is retained, and its record at <paramref name="lsn"/>.</summary>
    /// <param name="lsn">The record that is asked for; null for none.</param>
    /// <param name="verifySnapshot">Whether the newest snapshot is to be read and checked.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<ChannelHistoryResponse> HistoryAsync(long? lsn, bool verifySnapshot, CancellationToken ct)
    {
        ThrowIfEnded();
        var record = lsn is { } wanted && wanted >= _writer.History.FirstLsn && wanted <= LastDurableLsn ? await FindAsync(wanted, ct) : null;
        var verified = verifySnapshot ? await _store.FindSnapshotAsync(Name, ct) : null;

        // Last: the log may have been shortened meanwhile, and what is answered must hold now.
        var history = _writer.History;
        return new ChannelHistoryResponse(
            Term, history.FirstLsn, history.HeadLsn, history.CommittedLsn, verified ?? history.SnapshotLsn, verified is > 0, record is { } r ? new ReplicaPositionResponse(r.Lsn, r.Term, r.Crc) : null);
    }

    private async Task<LogPosition?> FindAsync(long lsn, CancellationToken ct)
    {
        try
        {
            return await _store.ReadPositionAsync(Name, lsn, ct);
        }
        catch (WalTrimmedException)
        {
            return null;
        }
    }
}
