using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Tests.EndToEnd;

/// <summary>A writer that knows every acknowledgement it got. It sends one message after the other by the route, and repeats one under its sequence until it is acknowledged, whatever comes in between.</summary>
public sealed class ProducerUnderTest(ClusterClient client, string channel, string id)
{
    private static readonly TimeSpan Patience = OneCluster.Patience;
    private readonly List<long> _lsns = [];
    private long _acknowledged;

    /// <summary>Sequences 1 to this one are acknowledged.</summary>
    public long Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>Writes until told to stop; the message under way is brought to its end.</summary>
    public async Task WriteAsync(CancellationToken stop)
    {
        for (var sequence = 1L; !stop.IsCancellationRequested; sequence++)
        {
            var request = new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(Text(sequence)))], new ProducerStamp(id, sequence));
            AppendResponse? written = null;
            await ClusterClient.UntilAsync(
                $"{id} gets message {sequence} acknowledged",
                async () => (written = (await client.AppendAsync(channel, request, CancellationToken.None)).Body) is not null,
                Patience,
                CancellationToken.None);
            _lsns.Add(written!.FirstLsn);
            Volatile.Write(ref _acknowledged, sequence);
        }
    }

    /// <summary>Every acknowledged message is in the channel once, where its acknowledgement says, in the order of sending, and nothing else of this producer is.</summary>
    public void AssertIn(IReadOnlyList<ReadMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var mine = messages.Where(m => Encoding.UTF8.GetString(m.Payload).StartsWith(id + ":", StringComparison.Ordinal)).ToList();
        Assert.Equal(Enumerable.Range(1, (int)Acknowledged).Select(i => Text(i)), mine.Select(m => Encoding.UTF8.GetString(m.Payload)));
        Assert.Equal(_lsns, mine.Select(m => m.Lsn));
    }

    private string Text(long sequence) => string.Create(CultureInfo.InvariantCulture, $"{id}:{sequence}");
}
