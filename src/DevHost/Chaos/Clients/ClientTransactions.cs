using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>Runs transactions of one to three messages on one channel through the gateway, one after the other, each request sent once. Three of four are committed.</summary>
internal sealed class ClientTransactions(GatewayClient gateway, Recorder recorder, ClientPace pace, string channel, string id)
{
    /// <summary>Longer than anything here lasts: none ends by itself.</summary>
    private const long KeepaliveMs = 3_600_000;

    /// <summary>Runs until told to finish.</summary>
    /// <param name="finish">No further transaction after the one under way, which is brought to its end.</param>
    /// <param name="abort">Not even that.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        try
        {
            for (var number = 1; !finish.IsCancellationRequested; number++)
            {
                var begun = await gateway.SendAsync<BeginTransactionResponse>(
                    id, HttpMethod.Post, $"channels/{channel}/transactions", ClusterClient.Json(new BeginTransactionRequest(KeepaliveMs)), abort);
                if (begun is not null)
                {
                    await RunAsync(begun.TxnId, number, abort);
                }

                await pace.PauseAsync(finish);
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            // What was under way has been recorded.
        }
    }

    private async Task RunAsync(long txnId, int number, CancellationToken abort)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"channels/{channel}/transactions/{txnId}");
        var texts = new List<string>();
        var written = Written.Never;
        try
        {
            for (var i = pace.Draw(3); i >= 0; i--)
            {
                var text = string.Create(CultureInfo.InvariantCulture, $"{id}:{number}:{i}");
                if (await gateway.SendAsync<AppendResponse>(id, HttpMethod.Post, path + "/messages", ClusterClient.Json(new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))])), abort) is null)
                {
                    // Whether it got in is unknown, so the transaction must not become visible.
                    return;
                }

                texts.Add(text);
            }

            if (pace.Draw(4) == 0)
            {
                await gateway.SendAsync<AppendResponse>(id, HttpMethod.Post, path + "/rollback", null, abort);
                return;
            }

            written = Written.Perhaps;
            written = await gateway.SendAsync<AppendResponse>(id, HttpMethod.Post, path + "/commit", null, abort) is null ? Written.Perhaps : Written.Surely;
        }
        finally
        {
            recorder.Add(new RecordedTransaction(channel, txnId, texts, written));
        }
    }
}
