using Baton.Core.Api;
using Baton.Core.Wal;

namespace Baton.Node.Channels;

/// <content>The end of transactions whose writers are gone: in the log, although nobody writes.</content>
internal sealed partial class LedChannel
{
    /// <summary>Between two tries while the log takes nothing. Whatever stands in its way ends the same transactions when it gets there.</summary>
    private static readonly TimeSpan WhenOverloaded = TimeSpan.FromSeconds(1);

    private readonly ExpiryWatch _expiry;

    private void WatchExpiry(WalRecord record)
    {
        if (record is { Type: WalRecordType.TxnBegin, Source: null })
        {
            _expiry.Begun();
        }
    }

    /// <summary>Appends a time tick if something has expired. Returns when to look again; null where nothing can expire, or the channel has ended.</summary>
    private async Task<TimeSpan?> EndExpiredAsync(CancellationToken ct)
    {
        try
        {
            var (durable, next) = await TickIfDueAsync(ct);
            await SettledAsync(durable.WaitAsync(ct));
            return next;
        }
        catch (ApiException e)
        {
            // Anything but too much waiting is the end of the log, which the channel's owner is told by the log itself.
            return e.Error.Code == ApiErrorCode.Overloaded ? WhenOverloaded : null;
        }
        catch (InvalidDataException) when (Ended)
        {
            // The channel has just ended as faulted, for this very reason.
            return null;
        }
    }

    private async Task<(Task Durable, TimeSpan? Next)> TickIfDueAsync(CancellationToken ct)
    {
        await _exclusive.WaitAsync(ct);
        try
        {
            if (Ended)
            {
                return (Task.CompletedTask, null);
            }

            var now = _around.Time.GetUtcNow();
            var durable = _machine.PrepareTimeTick(now) is { } tick ? await PutAsync(tick) : Task.CompletedTask;
            return (durable, _machine.NextExpiry - now);
        }
        finally
        {
            _exclusive.Release();
        }
    }
}
