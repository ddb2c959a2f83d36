using Baton.Core.Api;
using Baton.Core.Cdc;
using Baton.Core.Wal;
using Baton.Storage.Wal;

namespace Baton.Node.Cdc;

/// <summary>Whether the target has one broadcast's record all the same; null where it did not say.</summary>
internal delegate Task<bool?> AskForBroadcast(ReadMessage message, CancellationToken ct);

/// <summary>
/// Looks through the log behind a departure for what the promoted cluster lacks: what would be sent from there on, but for begins, commits and changes of configuration, and but for the
/// broadcasts that the target has from elsewhere. Such a broadcast may reach it later, so those that it lacks are asked about again; when one has come, the log is looked through anew.
/// It looks no further than a configuration without the direction: what follows was never to go there, and is the target's own where that has become the source.
/// </summary>
internal sealed class SalvageSurvey
{
    /// <summary>Broadcasts asked about again, the first ones: as many as a target remembers.</summary>
    private const int MaxAsked = 10_000;

    private readonly CdcSource _source;
    private readonly DeliveryTerms _terms;
    private readonly int _keptBytes;
    private readonly long _departureLsn;
    private readonly AskForBroadcast _ask;
    private readonly HashSet<long> _had = [];
    private readonly SortedSet<long> _lacking = [];
    private SalvageRanges _ranges;
    private DeliveryOrder _order;
    private long _passed;
    private bool _ended;

    /// <param name="source">The channel.</param>
    /// <param name="terms">The direction.</param>
    /// <param name="keptBytes">Bytes of open transactions kept.</param>
    /// <param name="departureLsn">The last record that the target took.</param>
    /// <param name="ask">Asks the target.</param>
    public SalvageSurvey(CdcSource source, DeliveryTerms terms, int keptBytes, long departureLsn, AskForBroadcast ask)
    {
        (_source, _terms, _keptBytes, _departureLsn, _ask) = (source, terms, keptBytes, departureLsn, ask);
        (_ranges, _order, _passed) = (new SalvageRanges(departureLsn), NewOrder(), departureLsn);
    }

    /// <summary>There are broadcasts that may still come to the target.</summary>
    public bool MayShrink => _lacking.Count > 0;

    /// <summary>Goes on to the present end of the log, and lists everything found.</summary>
    public async Task<SalvageList> LookAsync(CancellationToken ct)
    {
        while (!_ended && _source.LastDurableLsn() is var last && _passed < last)
        {
            try
            {
                await ScanAsync(last, ct);
            }
            catch (WalTrimmedException e)
            {
                // What has been deleted cannot be salvaged. Where it is the begin of a transaction, the transaction cannot.
                (_passed, _order) = (Math.Max(_passed + 1, e.FirstLsn - 1), NewOrder());
            }
            catch
            {
                // Up to here it is right. Transactions that are open are read back at their commits.
                _order = NewOrder();
                throw;
            }
        }

        return _ranges.List(_passed);
    }

    /// <summary>Asks again for the broadcasts that the target lacked. True where it has one of them by now: look anew.</summary>
    public async Task<bool> AskAgainAsync(CancellationToken ct)
    {
        var came = 0;
        foreach (var lsn in _lacking.ToArray())
        {
            await foreach (var entry in _source.Log(lsn, lsn, ct))
            {
                var has = await _ask(DeliveryOrder.Show(entry.Lsn, entry.Record), ct);
                if (has is null)
                {
                    return Came(came);
                }

                if (has.Value)
                {
                    came++;
                    _had.Add(lsn);
                    _lacking.Remove(lsn);
                }
            }
        }

        return Came(came);
    }

    private DeliveryOrder NewOrder() => new(_terms, _keptBytes);

    private bool Came(int broadcasts)
    {
        if (broadcasts > 0)
        {
            (_ranges, _order, _passed, _ended) = (new SalvageRanges(_departureLsn), NewOrder(), _departureLsn, false);
        }

        return broadcasts > 0;
    }

    private async Task ScanAsync(long lastLsn, CancellationToken ct)
    {
        var found = new List<long>();
        await foreach (var step in _source.StepsAsync(_order, _passed + 1, lastLsn, ct))
        {
            switch (step.Message)
            {
                case { Type: WalRecordType.Message or WalRecordType.TxnBody } message:
                    found.Add(message.Lsn);
                    break;
                case { Type: WalRecordType.Broadcast } message when !await HasAsync(message, ct):
                    found.Add(message.Lsn);
                    break;
                case { Type: WalRecordType.Broadcast } message:
                    _ranges.Exclude(message.Lsn);
                    break;
                case null:
                    // A record counts whole or not at all, so that a look that fails within one can go on.
                    found.ForEach(_ranges.Add);
                    found.Clear();
                    (_passed, _ended) = (step.Lsn, step.Ends);
                    if (_ended)
                    {
                        return;
                    }

                    break;
                default:
                    break;
            }
        }
    }

    private async Task<bool> HasAsync(ReadMessage message, CancellationToken ct)
    {
        if (_had.Contains(message.Lsn))
        {
            return true;
        }

        if (_lacking.Contains(message.Lsn))
        {
            return false;
        }

        if (await _ask(message, ct) is true)
        {
            _had.Add(message.Lsn);
            return true;
        }

        if (_lacking.Count < MaxAsked)
        {
            _lacking.Add(message.Lsn);
        }

        return false;
    }
}
