using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Load;

/// <summary>Writes plain messages to one channel, one after the other, and repeats each under its producer's sequence until it is acknowledged.</summary>
internal sealed class MessageWriter(LeaderClient leaders, Recorder recorder, LoadPace pace, string channel, string id)
{
    /// <summary>Writes until the cluster refuses clients' writes.</summary>
    /// <param name="finish">No further message after the one under way, which is brought to its end.</param>
    /// <param name="abort">Not even that.</param>
    public async Task RunAsync(CancellationToken finish, CancellationToken abort)
    {
        for (var sequence = 1L; !finish.IsCancellationRequested && !abort.IsCancellationRequested; sequence++)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{id}:{sequence}");
            var request = new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))], new ProducerStamp(id, sequence));
            var refused = false;
            AppendResponse? written = null;
            try
            {
                for (var attempt = 0; written is null && !refused; attempt++)
                {
                    await pace.BetweenAsync(attempt, abort);
                    var answer = await leaders.SendAsync<AppendResponse>(HttpMethod.Post, channel, "messages", ClusterClient.Json(request), abort);
                    written = answer?.Body;
                    refused = answer?.Problem?.Code == nameof(ApiErrorCode.ReplicateViolation);
                }
            }
            catch (OperationCanceledException) when (abort.IsCancellationRequested)
            {
                // Sent or not: nobody will ever say.
            }

            // A refusal speaks of this attempt alone: an earlier one may have got in without an answer.
            recorder.Add(written is null ? new RecordedMessage(channel, text, Written.Perhaps) : new RecordedMessage(channel, text, Written.Surely, written.FirstLsn));
            if (refused)
            {
                return;
            }
        }
    }
}
