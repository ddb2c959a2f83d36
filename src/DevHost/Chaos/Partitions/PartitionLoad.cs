using System.Globalization;
using System.Text;
using Baton.Core.Api;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Clients;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Partitions;

/// <summary>Writers of topics' partitions, two for each: one through the gateway, and one that sends to a node that may or may not lead the partition.</summary>
public sealed class PartitionLoad : IAsyncDisposable
{
    private readonly LocalCluster _cluster;
    private readonly IReadOnlyList<string> _channels;
    private readonly ClientsUnderWay _clients;
    private readonly int _longestPauseMs;

    private PartitionLoad(LocalCluster cluster, string name, IReadOnlyList<string> channels, int longestPauseMs, CancellationToken cancellationToken)
    {
        _cluster = cluster;
        _channels = channels;
        _longestPauseMs = longestPauseMs;
        _clients = new ClientsUnderWay(cancellationToken);
        for (var i = 0; i < channels.Count; i++)
        {
            Start(channels[i], $"{name}.{channels[i]}.gateway", null, 2 * i);
            Start(channels[i], $"{name}.{channels[i]}.node", i % cluster.NodeCount, (2 * i) + 1);
        }
    }

    /// <summary>What the writers know.</summary>
    public Recorder Recorder { get; } = new();

    /// <summary>What went wrong for them.</summary>
    public SendCounts Counts { get; } = new();

    /// <summary>When writes were acknowledged, at which term.</summary>
    public Acknowledgements Acknowledgements { get; } = new();

    /// <summary>Starts the writers.</summary>
    /// <param name="cluster">A cluster with a gateway.</param>
    /// <param name="name">Begins all they write: one that no other load on these channels has.</param>
    /// <param name="channels">The partitions' channels.</param>
    /// <param name="longestPauseMs">Pauses between one writer's requests are drawn from 0 to below this (milliseconds).</param>
    /// <param name="cancellationToken">Ends them too.</param>
    public static PartitionLoad Start(LocalCluster cluster, string name, IReadOnlyList<string> channels, int longestPauseMs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(channels);
        return new(cluster, name, channels, longestPauseMs, cancellationToken);
    }

    /// <summary>Waits until every writer has had so many more messages acknowledged than it has now.</summary>
    /// <exception cref="TimeoutException">They have not within <paramref name="timeout"/>; the message holds the first error that a writer saw.</exception>
    public Task MoreAsync(int messages, TimeSpan timeout, CancellationToken cancellationToken) => _clients.MoreAsync(messages, Acknowledgements, Counts, timeout, cancellationToken);

    /// <summary>Lets the writers finish what they have under way.</summary>
    public Task FinishAsync(TimeSpan timeout) => _clients.FinishAsync(timeout);

    /// <summary>Reads every partition back and compares it with what the writers know, once they have finished.</summary>
    /// <returns>What is wrong: the errors they saw included.</returns>
    public async Task<IReadOnlyList<string>> FindingsAsync(CancellationToken cancellationToken)
    {
        var findings = new List<string>(Counts.Errors.Select(e => $"client error: {e}"));
        foreach (var channel in _channels)
        {
            var visible = await _cluster.Client.ReadAllAsync(channel, Isolation.Committed, cancellationToken);
            findings.AddRange(AcknowledgedCheck.Check(Recorder, channel, visible));
            findings.AddRange(OrderCheck.Check(Recorder, channel, visible));
        }

        return findings;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _clients.DisposeAsync();

    private void Start(string channel, string id, int? node, int seed)
    {
        var (sender, pace) = (new AnyNodeSender(_cluster, Counts, id, node), new ClientPace(seed, _longestPauseMs));
        _clients.Start(id, async (finish, abort) =>
        {
            try
            {
                for (var number = 1; !finish.IsCancellationRequested; number++)
                {
                    await WriteAsync(sender, channel, id, string.Create(CultureInfo.InvariantCulture, $"{id}:{number}"), abort);
                    await pace.PauseAsync(finish);
                }
            }
            catch (OperationCanceledException) when (abort.IsCancellationRequested)
            {
                // What was under way has been recorded.
            }
        });
    }

    private async Task WriteAsync(AnyNodeSender sender, string channel, string id, string text, CancellationToken abort)
    {
        var sent = DateTimeOffset.UtcNow;
        AppendResponse? answer = null;
        try
        {
            answer = await sender.PostAsync<AppendResponse>($"channels/{channel}/messages", new AppendRequest([new MessageBody(Encoding.UTF8.GetBytes(text))]), $"append to {channel}", abort);
        }
        finally
        {
            Recorder.Add(answer is null ? new RecordedMessage(channel, text, Written.Perhaps) : new RecordedMessage(channel, text, Written.Surely, answer.FirstLsn));
        }

        if (answer is not null)
        {
            Acknowledgements.Add(new Acknowledgement(channel, id, answer.Term, sent, DateTimeOffset.UtcNow));
        }
    }
}
