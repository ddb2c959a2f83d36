using System.Globalization;
using Baton.DevHost.Chaos.Checks;
using Baton.DevHost.Chaos.Load;
using Baton.DevHost.Clusters;

namespace Baton.DevHost.Chaos.Clients;

/// <summary>
/// Clients of one cluster, all through its gateway: writers with and without producer ids, transactions, readers. None repeats a request, whatever its answer is:
/// that a failover costs them nothing is the gateway's doing, or is not so.
/// </summary>
public sealed class ClientLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource _finish = new();
    private readonly CancellationTokenSource _abort;
    private readonly CancellationTokenSource _stopReading;
    private readonly LocalCluster _cluster;
    private readonly int _transactionsEach;
    private readonly List<string> _writerIds = [];
    private readonly List<Task> _writers = [];
    private readonly List<Task> _readers = [];

    private ClientLoad(LocalCluster cluster, ClientLoadOptions options, CancellationToken cancellationToken)
    {
        _cluster = cluster;
        _transactionsEach = options.Transactions;
        _abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _stopReading = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var gateway = new GatewayClient(cluster, Recorder);
        foreach (var channel in cluster.Channels)
        {
            for (var i = 0; i < options.Producers + options.Plain; i++)
            {
                var id = Name(channel, i < options.Producers ? "p" : "w", i);
                var writer = new ClientWriter(gateway, Recorder, Acknowledgements, Pace(), channel, id, stamps: i < options.Producers);
                _writerIds.Add(id);
                _writers.Add(Task.Run(() => writer.RunAsync(_finish.Token, _abort.Token), CancellationToken.None));
            }

            for (var i = 0; i < options.Transactions; i++)
            {
                var transactions = new ClientTransactions(gateway, Recorder, Pace(), channel, Name(channel, "t", i));
                _writers.Add(Task.Run(() => transactions.RunAsync(_finish.Token, _abort.Token), CancellationToken.None));
            }

            for (var i = 0; i < options.Readers; i++)
            {
                var reader = new ClientReader(gateway, Recorder, channel, Name(channel, "r", i));
                _readers.Add(Task.Run(() => reader.RunAsync(_stopReading.Token), CancellationToken.None));
            }
        }

        ClientPace Pace() => new(unchecked((options.Seed * 31) + _writers.Count), options.LongestPauseMs);
        string Name(string channel, string kind, int i) => string.Create(CultureInfo.InvariantCulture, $"{options.Name}.{channel}.{kind}{i}");
    }

    /// <summary>What the clients know of what they wrote, and the errors they saw.</summary>
    public Recorder Recorder { get; } = new();

    /// <summary>When writes were acknowledged.</summary>
    public Acknowledgements Acknowledgements { get; } = new();

    /// <summary>Starts the clients.</summary>
    /// <param name="cluster">A cluster with a gateway.</param>
    /// <param name="options">Which clients.</param>
    /// <param name="cancellationToken">Ends them too.</param>
    public static ClientLoad Start(LocalCluster cluster, ClientLoadOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(options);
        return new ClientLoad(cluster, options, cancellationToken);
    }

    /// <summary>Waits until every writer of messages has had so many more acknowledged than it has now, and every channel a transaction more.</summary>
    /// <exception cref="TimeoutException">They have not within <paramref name="timeout"/>; the message holds the first error that a client saw.</exception>
    public async Task MoreAsync(int messages, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var (before, committed) = (Acknowledgements.Counts, Committed());
        try
        {
            await MoreAsync(messages, before, committed, timeout, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message} {Recorder.Errors.Count} client errors, the first: {Recorder.Errors.FirstOrDefault() ?? "none"}", e);
        }
    }

    /// <summary>Lets the clients finish what they have under way.</summary>
    public async Task FinishAsync(TimeSpan timeout)
    {
        await _finish.CancelAsync();
        await Task.WhenAll(_writers).WaitAsync(timeout);
        await _stopReading.CancelAsync();
        await Task.WhenAll(_readers).WaitAsync(timeout);
    }

    /// <summary>Reads every channel back and compares it with what the clients know, once they have finished.</summary>
    /// <returns>What is wrong: the errors they saw, writes lost, written twice, out of place or out of order.</returns>
    public async Task<IReadOnlyList<string>> FindingsAsync(CancellationToken cancellationToken)
    {
        var findings = new List<string>(Recorder.Errors.Select(e => $"client error: {e}"));
        foreach (var (channel, visible) in await TwoClusters.VisibleAsync(_cluster, cancellationToken))
        {
            findings.AddRange(AcknowledgedCheck.Check(Recorder, channel, visible));
            findings.AddRange(OrderCheck.Check(Recorder, channel, visible));
        }

        return findings;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync();
        await _stopReading.CancelAsync();
        await Task.WhenAll([.. _writers, .. _readers]);
        _finish.Dispose();
        _abort.Dispose();
        _stopReading.Dispose();
    }

    private Task MoreAsync(int messages, IReadOnlyDictionary<string, int> before, IReadOnlyDictionary<string, int> committed, TimeSpan timeout, CancellationToken cancellationToken) => ClusterClient.UntilAsync(
        $"every writer has had {messages} more messages acknowledged",
        () =>
        {
            var (now, transactions) = (Acknowledgements.Counts, Committed());
            return Task.FromResult(
                _writerIds.All(w => now.GetValueOrDefault(w) >= before.GetValueOrDefault(w) + messages)
                && (_transactionsEach == 0 || _cluster.Channels.All(c => transactions.GetValueOrDefault(c) > committed.GetValueOrDefault(c))));
        },
        timeout,
        cancellationToken);

    private Dictionary<string, int> Committed() => Recorder.Transactions.Where(t => t.Written == Written.Surely).GroupBy(t => t.Channel, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
}
