using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>Writes to one channel through the gateway, one message after the other, each sent once.</summary>
/// <param name="gateway">Where to.</param>
/// <param name="recorder">Hears what is known of each message.</param>
/// <param name="acknowledgements">Hears when each was acknowledged.</param>
/// <param name="pace">Its pauses.</param>
/// <param name="channel">The channel.</param>
/// <param name="id">Begins every message, and is the producer id.</param>
/// <param name="stamps">False: no producer in the body.</param>
internal sealed class ClientWriter(GatewayClient gateway, Recorder recorder, Acknowledgements acknowledgements, ClientPace pace, string channel, string id, bool stamps)
{
    /// <summary>Writes until told to finish.</summary>
    /// <param name="finish">No further message after the one under way.</param>
    /// <param name="abort">Not even that one is waited for.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        for (var number = 1L; !finish.IsCancellationRequested && !abort.IsCancellationRequested; number++)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{id}:{number}");
            var request = new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))], stamps ? new ProducerStamp(id, number) : null);
            var sent = DateTimeOffset.UtcNow;
            AppendResponse? answer = null;
            try
            {
                answer = await gateway.SendAsync<AppendResponse>(id, HttpMethod.Post, $"channels/{channel}/messages", ClusterClient.Json(request), abort);
                if (answer is not null)
                {
                    acknowledgements.Add(new Acknowledgement(channel, id, answer.Term, sent, DateTimeOffset.UtcNow));
                }
            }
            catch (OperationCanceledException) when (abort.IsCancellationRequested)
            {
                // Written or not: nobody will ever say.
            }

            recorder.Add(answer is null ? new RecordedMessage(channel, text, Written.Perhaps) : new RecordedMessage(channel, text, Written.Surely, answer.FirstLsn));
            await pace.PauseAsync(finish);
        }
    }
}
