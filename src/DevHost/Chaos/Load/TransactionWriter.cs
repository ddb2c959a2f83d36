using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>
/// Runs transactions of one to four messages on one channel, one after the other. Of ten, six are committed, two rolled back, one is left to expire soon and
/// one is left open for longer than any run: those are what a promotion has to end, and few enough to stay below a channel's bound.
/// </summary>
internal sealed class TransactionWriter(LeaderClient leaders, Recorder recorder, LoadPace pace, string channel, string id)
{
    private const int MostLeftOpen = 20;
    private const long LongMs = 3_600_000;
    private const long ShortMs = 500;
    private int _leftOpen;

    private enum Fate
    {
        Commit,
        RollBack,
        LeaveOpen,
        LeaveToExpire,
    }

    /// <summary>Runs until the cluster refuses clients' writes.</summary>
    /// <param name="finish">No further transaction after the one under way, which is brought to its end.</param>
    /// <param name="abort">Not even that.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        try
        {
            for (var number = 1; !finish.IsCancellationRequested; number++)
            {
                await pace.BetweenAsync(0, abort);
                var fate = DrawFate();
                var begun = await leaders.SendAsync<BeginTransactionResponse>(
                    HttpMethod.Post, channel, "transactions", ClusterClient.Json(new BeginTransactionRequest(fate == Fate.LeaveToExpire ? ShortMs : LongMs)), abort);
                if (begun?.Problem?.Code == nameof(ApiErrorCode.ReplicateViolation))
                {
                    return;
                }

                if (begun?.Body is { } transaction)
                {
                    await RunAsync(transaction.TxnId, number, fate, abort);
                }
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            // What was under way has been recorded.
        }
    }

    private async Task RunAsync(long txnId, int number, Fate fate, CancellationToken abort)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"transactions/{txnId}");
        var texts = new List<string>();
        var written = Written.Never;
        try
        {
            for (var i = pace.Draw(4); i >= 0; i--)
            {
                var text = string.Create(CultureInfo.InvariantCulture, $"{id}:{number}:{i}");
                var answer = await leaders.SendAsync<AppendResponse>(
                    HttpMethod.Post, channel, path + "/messages", ClusterClient.Json(new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))])), abort);
                if (answer?.Body is null)
                {
                    // Whether this message got in is unknown, so the transaction must not become visible: it is never committed.
                    return;
                }

                texts.Add(text);
            }

            if (fate == Fate.Commit)
            {
                written = Written.Perhaps;
                var answer = await leaders.SendAsync<AppendResponse>(HttpMethod.Post, channel, path + "/commit", null, abort);
                written = answer?.Body is null ? Written.Perhaps : Written.Surely;
            }
            else if (fate == Fate.RollBack)
            {
                await leaders.SendAsync<AppendResponse>(HttpMethod.Post, channel, path + "/rollback", null, abort);
            }
        }
        finally
        {
            recorder.Add(new RecordedTransaction(channel, txnId, texts, written));
        }
    }

    private Fate DrawFate()
    {
        switch (pace.Draw(10))
        {
            case < 6:
                return Fate.Commit;
            case < 8:
                return Fate.RollBack;
            case < 9 when _leftOpen < MostLeftOpen:
                _leftOpen++;
                return Fate.LeaveOpen;
            default:
                return Fate.LeaveToExpire;
        }
    }
}
