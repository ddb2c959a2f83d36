using System.Globalization;
using Baton.Core.Api;
using Baton.DevHost.Chaos.Load;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>Follows one channel through the gateway from its end on, by long poll, and counts what it reads.</summary>
internal sealed class ClientReader(GatewayClient gateway, Recorder recorder, string channel, string id)
{
    private const int WaitMs = 1_000;

    /// <summary>Reads until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            for (var from = 1L; ;)
            {
                var path = string.Create(CultureInfo.InvariantCulture, $"channels/{channel}/messages?from={from}&max=1000&waitMs={WaitMs}&isolation=all");
                if (await gateway.SendAsync<ReadResponse>(id, HttpMethod.Get, path, null, stop) is not { } page)
                {
                    await Task.Delay(WaitMs, stop);
                    continue;
                }

                // What was once read as durable is never taken back, whoever leads: a page begins where the one before ended, without a hole.
                if (page.Messages.Where((m, i) => m.Lsn != from + i).FirstOrDefault() is { } wrong)
                {
                    recorder.AddError($"{id}: a read of {channel} from LSN {from} gave LSN {wrong.Lsn} out of its place");
                }

                from = page.NextLsn;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The load is over.
        }
    }
}
